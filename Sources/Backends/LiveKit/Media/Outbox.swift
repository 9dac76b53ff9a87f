import Logging
import NIOCore

/// What is sent into the room besides audio, one after the other: the library keeps no order between requests that are under way together.
/// On the session's event loop.
final class Outbox {
    typealias Make = (_ number: UInt64) -> FfiRequest.OneOf_Message

    private struct Item {
        /// An item that waits is replaced by a newer one with the same key.
        var key: String?
        var make: Make
    }

    /// At the bound the oldest item with a key goes, or else the oldest.
    private static let maximum = 256
    /// A request that the library does not answer blocks the others no longer than this.
    private static let patience = TimeAmount.seconds(5)

    private let library: LiveKitLibrary
    private let eventLoop: any EventLoop
    private let logger: Logger
    /// After this the next one goes, whether there was an answer or not.
    private let pause: TimeAmount?
    private var waiting: CircularBuffer<Item> = []
    /// The request that is waited for, counted from 1.
    private var sending: Int?
    private var sent = 0
    private var isClosed = false
    private var whenEmpty: (() -> Void)?
    private(set) var dropped = 0

    /// - Parameter pause: the longest that a request keeps the next one waiting; nil: until it is answered
    init(library: LiveKitLibrary, on eventLoop: any EventLoop, logger: Logger, pause: TimeAmount? = nil) {
        self.library = library
        self.eventLoop = eventLoop
        self.logger = logger
        self.pause = pause
    }

    func send(replacing key: String? = nil, _ make: @escaping Make) {
        guard !isClosed else { return }
        if let key, let index = waiting.firstIndex(where: { $0.key == key }) {
            waiting[index].make = make
            return
        }
        if waiting.count >= Self.maximum {
            waiting.remove(at: waiting.firstIndex { $0.key != nil } ?? waiting.startIndex)
            dropped += 1
        }
        waiting.append(Item(key: key, make: make))
        next()
    }

    /// Calls back when everything has been sent, at once where nothing waits.
    func flush(_ done: @escaping () -> Void) {
        guard sending != nil || !waiting.isEmpty else { return done() }
        whenEmpty = done
    }

    func close() {
        isClosed = true
        waiting = []
        whenEmpty = nil
    }

    private func next() {
        guard sending == nil, !isClosed else { return }
        guard let item = waiting.popFirst() else {
            let done = whenEmpty
            whenEmpty = nil
            done?()
            return
        }
        sent += 1
        let number = sent
        sending = number
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        let eventLoop = eventLoop
        do {
            try library.call(on: eventLoop, within: Self.patience, item.make) { answer in
                let problem =
                    switch answer {
                    case .success(let event): event.problem
                    case .failure(let error): error.message
                    }
                eventLoop.execute {
                    if let problem { bound.value.failed(problem) }
                    bound.value.ended(number)
                }
            }
        } catch {
            failed(error.message)
            return ended(number)
        }
        if let pause { eventLoop.assumeIsolated().scheduleTask(in: pause) { bound.value.ended(number) } }
    }

    private func failed(_ problem: String) {
        logger.warning("the room did not take a message", metadata: ["reason": "\(problem)"])
    }

    /// Nothing waits for this request any more.
    private func ended(_ number: Int) {
        guard sending == number else { return }
        sending = nil
        next()
    }
}

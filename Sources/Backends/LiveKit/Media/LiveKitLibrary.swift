import CLiveKit
import Foundation
package import Logging
import NIOCore
import SwiftProtobuf
import Synchronization

/// LiveKit's client library (`liblivekit_ffi`), opened at run time. One per process: it has threads and connections of its own.
///
/// Requests may come from any thread. Its events come on threads of the library and are passed on at once, each to whoever waits for its number or
/// listens to its handle: however many rooms there are, an event costs one look into a table.
package final class LiveKitLibrary: Sendable {
    /// What is done with an event; on a thread of the library, which must not be kept.
    typealias Listener = @Sendable (sending FfiEvent) -> Void
    /// What came of a request: on a thread of the library, or why nothing came, on the event loop of whoever made it.
    typealias Answer = @Sendable (Result<FfiEvent, LiveKitError>) -> Void
    /// Audio of a stream: samples per channel are interleaved.
    typealias AudioListener = @Sendable (_ samples: UnsafeBufferPointer<Int16>, _ sampleRate: Int, _ channels: Int) -> Void

    @safe private struct Routes {
        var answers = AwaitedAnswers()
        /// By room, stream reader or local participant.
        var listeners: [UInt64: Listener] = [:]
        /// Their pointers are good for the call only.
        var audio: [UInt64: AudioListener] = unsafe [:]
        /// By the number under which a track's frames are captured.
        var captures: [UInt64: @Sendable () -> Void] = [:]
        var problem: String?
        var onBreak: [@Sendable (String) -> Void] = []
    }

    private let routes = Mutex(Routes())
    private let logger: Logger

    private static let opened = Mutex<LiveKitLibrary?>(nil)

    private init(logger: Logger) { self.logger = logger }

    /// Opens the library, once in a process; later calls return the same.
    ///
    /// - Throws: `library`
    package static func open(path: String, logger: Logger) throws(LiveKitError) -> LiveKitLibrary {
        let result: Result<LiveKitLibrary, LiveKitError> = opened.withLock { opened in
            if let opened { return .success(opened) }
            return Result { () throws(LiveKitError) in try load(path: path) }.map {
                let library = LiveKitLibrary(logger: logger)
                opened = library
                return library
            }
        }
        return try result.get()
    }

    /// Loads and starts the code of the library.
    static func load(path: String) throws(LiveKitError) {
        var message = [CChar](repeating: 0, count: 512)
        guard unsafe livekit_open(path, livekitEvent, false, "0", &message, message.count) else {
            let reason = String(decoding: message.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
            throw LiveKitError(.library, "the client library cannot be opened from '\(path)': \(reason)")
        }
    }

    /// Ends the library's threads, at the end of the process: they would not survive what the C library takes down then.
    package func close() {
        routes.withLock { routes in
            guard routes.problem == nil else { return }
            routes.problem = "this process ends"
            routes.answers.removeAll()
            routes.listeners = [:]
            unsafe routes.audio = [:]
            routes.captures = [:]
        }
        livekit_close()
    }

    /// Why the library cannot be used any more.
    package var problem: String? { routes.withLock { $0.problem } }

    /// Called once if the library breaks.
    package func whenBroken(_ handler: @escaping @Sendable (String) -> Void) {
        routes.withLock { $0.onBreak.append(handler) }
    }

    /// Handles that are held now.
    package static var liveHandles: Int { LiveKitHandle.count }
    /// Listeners and requests that are waited for now.
    package var openRoutes: Int { routes.withLock { unsafe $0.answers.count + $0.listeners.count + $0.audio.count + $0.captures.count } }

    // MARK: Requests

    /// Sends a request and returns the answer.
    ///
    /// - Throws: `request`; `panicked`
    @discardableResult
    func request(_ message: FfiRequest.OneOf_Message) throws(LiveKitError) -> FfiResponse {
        if let problem { throw LiveKitError(.panicked, problem) }
        do {
            let bytes: [UInt8] = try FfiRequest.with { $0.message = message }.serializedBytes()
            var response: UnsafePointer<UInt8>?
            var count = 0
            let handle = unsafe livekit_request(bytes, bytes.count, &response, &count)
            guard handle != 0, let start = unsafe response else { throw LiveKitError(.request, "the client library did not understand a request") }
            defer { _ = livekit_drop_handle(handle) }
            return try FfiResponse(serializedBytes: unsafe Array(UnsafeBufferPointer(start: start, count: count)))
        } catch let error as LiveKitError {
            throw error
        } catch {
            throw LiveKitError(.request, "the client library's answer is not understood: \(error)")
        }
    }

    /// Gives the library a frame of audio; what came of it goes to `listen(toCaptures:)`. False: there is no such source, or the library is broken.
    func capture(_ request: CaptureRequest) -> Bool {
        guard problem == nil else { return false }
        var response: UnsafePointer<UInt8>?
        var count = 0
        let handle = unsafe livekit_request(request.bytes, request.bytes.count, &response, &count)
        return handle != 0 && livekit_drop_handle(handle)
    }

    /// How long most requests may take.
    static let patience = TimeAmount.seconds(10)
    /// How often an event loop looks whether a request of it is late.
    private static let lookEvery = TimeAmount.seconds(1)

    /// Sends a request that is answered by an event later. `done` gets that event, or a `late` error when none has come within `patience`, to
    /// the second, by the clock of `eventLoop`. It is called once, and not at all when this throws.
    func call(
        on eventLoop: any EventLoop, within patience: TimeAmount = patience, _ make: (_ number: UInt64) -> FfiRequest.OneOf_Message,
        _ done: @escaping Answer
    ) throws(LiveKitError) {
        let (number, looks) = routes.withLock { $0.answers.add(on: eventLoop, within: patience, done) }
        if looks { lookForLate(on: eventLoop) }
        do {
            try request(make(number))
        } catch {
            routes.withLock { _ = $0.answers.remove(number) }
            throw error
        }
    }

    private func lookForLate(on eventLoop: any EventLoop) {
        eventLoop.scheduleTask(in: Self.lookEvery) { [self] in
            let (late, goesOn) = routes.withLock { $0.answers.removeLate(on: eventLoop) }
            if goesOn { lookForLate(on: eventLoop) }
            for request in late {
                let seconds = request.patience.nanoseconds / 1_000_000_000
                request.done(.failure(LiveKitError(.late, "the client library has not answered within \(seconds) s")))
            }
        }
    }

    // MARK: Listeners

    func listen(to handle: UInt64, _ listener: @escaping Listener) { routes.withLock { $0.listeners[handle] = listener } }
    func listen(toAudio handle: UInt64, _ listener: @escaping AudioListener) { routes.withLock { unsafe $0.audio[handle] = unsafe listener } }
    func forget(_ handle: UInt64) {
        routes.withLock { routes in
            routes.listeners[handle] = nil
            unsafe routes.audio[handle] = nil
        }
    }

    /// Returns the number under which frames are to be captured; `listener` is called for each that was taken or refused.
    func listen(toCaptures listener: @escaping @Sendable () -> Void) -> UInt64 {
        routes.withLock { routes in
            let number = routes.answers.number()
            routes.captures[number] = listener
            return number
        }
    }
    func forget(captures number: UInt64) { routes.withLock { $0.captures[number] = nil } }

    // MARK: Events

    fileprivate static func received(_ bytes: UnsafeRawBufferPointer) {
        guard let library = opened.withLock({ $0 }) else { return }
        switch unsafe FrequentEvent(Span(_unsafeBytes: bytes)) {
        case .frame(let frame): return library.pass(frame)
        case .captured(let number): if library.captured(number) { return }
        case nil: break
        }
        do {
            library.pass(try FfiEvent(serializedBytes: unsafe Array(bytes)))
        } catch {
            library.logger.error("an event of LiveKit's client library is not understood", metadata: ["error": "\(error)"])
        }
    }

    private func pass(_ event: sending FfiEvent) {
        switch event.message {
        case .roomEvent(let room): tell(room.roomHandle, event)
        case .byteStreamReaderEvent(let reader): tell(reader.readerHandle, event)
        case .rpcMethodInvocation(let call): tell(call.localParticipantHandle, event)
        case .logs(let batch): for record in batch.records { log(record) }
        case .panic(let panic): broke(panic.message)
        case nil: break
        default: if let number = event.number { answer(number, event) }
        }
    }

    private func pass(_ frame: FrequentEvent.Frame) {
        // The samples belong to the handle.
        let handle = LiveKitHandle(frame.handle)
        let listener = unsafe routes.withLock { unsafe $0.audio[frame.stream] }
        guard let listener = unsafe listener, let start = unsafe UnsafePointer<Int16>(bitPattern: UInt(frame.address)) else { return }
        let samples = unsafe UnsafeBufferPointer(start: start, count: Int(frame.channels * frame.samplesPerChannel))
        withExtendedLifetime(handle) { unsafe listener(samples, Int(frame.sampleRate), Int(frame.channels)) }
    }

    /// False where nobody listens under this number.
    private func captured(_ number: UInt64) -> Bool {
        guard let listener = routes.withLock({ $0.captures[number] }) else { return false }
        listener()
        return true
    }

    private func tell(_ handle: UInt64, _ event: sending FfiEvent) {
        guard let listener = routes.withLock({ $0.listeners[handle] }) else { return event.dropHandles() }
        listener(event)
    }

    private func answer(_ number: UInt64, _ event: sending FfiEvent) {
        guard let done = routes.withLock({ $0.answers.remove(number) }) else { return abandon(event) }
        done(.success(event))
    }

    /// Nobody waits for the answer any more. A room that has been joined too late is left: the library would break if it heard nothing of it.
    private func abandon(_ event: FfiEvent) {
        if case .connect(let answer) = event.message, case .result(let result) = answer.message {
            let room = result.room.handle.id
            _ = try? request(.readyForRoomEvent(.with { $0.roomHandle = room }))
            _ = try? request(
                .disconnect(
                    .with {
                        $0.roomHandle = room
                        // The number of no request.
                        $0.requestAsyncID = 0
                    }))
        }
        event.dropHandles()
    }

    private func log(_ record: FfiLogRecord) {
        // Its levels: 0 error, 1 warning, then less. It calls much an error that it mends itself.
        let level: Logger.Level = record.level == 0 ? .warning : record.level == 1 ? .info : .debug
        logger.log(level: level, "livekit: \(record.message)", metadata: ["target": "\(record.target)"])
    }

    private func broke(_ message: String) {
        logger.critical("LiveKit's client library broke; this process must give its rooms away", metadata: ["reason": "\(message)"])
        let handlers = routes.withLock { routes in
            routes.problem = "the client library broke: \(message)"
            defer { routes.onBreak = [] }
            return routes.onBreak
        }
        for handler in handlers { handler(message) }
    }
}

/// What the library calls: not a closure, so that it is bound to no actor.
private func livekitEvent(_ data: UnsafePointer<UInt8>?, _ count: Int) {
    unsafe LiveKitLibrary.received(UnsafeRawBufferPointer(start: data, count: count))
}

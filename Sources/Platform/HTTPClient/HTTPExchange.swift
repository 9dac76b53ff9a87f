import NIOCore
import Synchronization

/// A request under way; the one ordered hop from curl's thread to its event loop.
///
/// Events are queued here and drained by one task on the loop, however many there are. When more than `highMark` bytes wait, the
/// transfer is paused until the loop has caught up.
package final class HTTPExchange: Sendable {
    static let highMark = 256 << 10

    private struct State {
        var waiting: [HTTPEvent] = []
        var waitingBytes = 0
        var isDrainScheduled = false
        var isPaused = false
        var isOver = false
    }

    let id: UInt64
    private let eventLoop: any EventLoop
    private let engine: CurlEngine
    private let events: @Sendable (HTTPEvent) -> Void
    private let state = Mutex(State())

    init(
        id: UInt64, eventLoop: any EventLoop, engine: CurlEngine, events: @escaping @Sendable (HTTPEvent) -> Void
    ) {
        self.id = id
        self.eventLoop = eventLoop
        self.engine = engine
        self.events = events
    }

    /// Ends the exchange. Called on its event loop, nothing is delivered afterwards; from elsewhere, an event may still be
    /// under way. Harmless when it is over.
    package func cancel() {
        let wasOver = state.withLock { state in
            defer {
                state.isOver = true
                state.waiting = []
            }
            return state.isOver
        }
        if !wasOver { engine.post(.cancel(id)) }
    }

    /// From curl's thread. False when so much waits that the transfer has to pause; the event is not taken then.
    func deliver(_ event: HTTPEvent) -> Bool {
        var schedule = false
        let accepted = state.withLock { state in
            guard !state.isOver else { return true }
            if case .body(let data) = event {
                guard state.waitingBytes < Self.highMark else {
                    state.isPaused = true
                    return false
                }
                state.waitingBytes += data.readableBytes
            }
            state.waiting.append(event)
            schedule = !state.isDrainScheduled
            state.isDrainScheduled = true
            return true
        }
        if schedule { eventLoop.execute { self.drain() } }
        return accepted
    }

    private func drain() {
        while true {
            let batch = state.withLock { state in
                let batch = state.waiting
                state.waiting = []
                state.waitingBytes = 0
                if batch.isEmpty { state.isDrainScheduled = false }
                return batch
            }
            if batch.isEmpty { break }
            for event in batch {
                // Cancelled by an earlier event of this batch?
                guard state.withLock({ !$0.isOver }) else { break }
                switch event {
                case .finished, .failed: state.withLock { $0.isOver = true }
                case .head, .body: break
                }
                events(event)
            }
        }
        let resume = state.withLock { state in
            defer { state.isPaused = false }
            return state.isPaused && !state.isOver
        }
        if resume { engine.post(.resume(id)) }
    }
}

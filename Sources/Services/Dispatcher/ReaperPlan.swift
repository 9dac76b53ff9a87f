import Audio
import SessionLog
import SwiftProtobuf

/// What the reaper writes at the end of a session that nobody owns: what its owner would have written, as far as the log knows it. Pure.
struct ReaperPlan: Equatable {
    /// Why the session is closed, as in `Closed.reason`.
    enum Reason: String, CaseIterable {
        /// The caller left, and nobody was there to notice.
        case clientDisconnected = "client_disconnected"
        /// The worker died and no other one took over.
        case lost
    }

    /// Ids of reapers begin with it, so that they are not taken for workers.
    static let workerPrefix = "reaper-"

    private let bodies: [Event.OneOf_Body]
    private let position: Int64
    /// What the log is closed with; of a log that is closed already, what it says itself.
    let closing: Closed

    /// - Parameter lastOwner: who held the session when it was found; a worker that died at once has left nothing else
    init(_ state: SessionState, lastOwner: String) {
        position = state.position.samples
        closing = state.closed ?? Self.closing(state, lastOwner)
        // A log with its end needs nothing else; that end comes again, since it is what ends the header too.
        guard !state.isClosed else {
            bodies = []
            return
        }
        bodies =
            state.pendingToolCalls.map(Self.unknownOutcome) + state.replies.filter { !$0.isFinished }.map(Self.heard)
    }

    /// The last events of the log, as the owner with this fence.
    func events(fence: UInt64, firstSequence: UInt64, worker: String, previousFence: UInt64, wallClock: Int64)
        -> [Event]
    {
        let claimed = Claimed.with {
            $0.worker = worker
            $0.reason = "reaper"
            $0.previousFence = previousFence
        }
        let all: [Event.OneOf_Body] = [.claimed(claimed)] + bodies + [.closed(closing)]
        return all.enumerated().map { offset, body in
            .with {
                $0.fence = fence
                $0.sequence = firstSequence + UInt64(offset)
                $0.version = Event.currentVersion
                $0.wallClockMs = wallClock
                $0.position = position
                $0.body = body
            }
        }
    }

    // MARK: Why

    private static func closing(_ state: SessionState, _ lastOwner: String) -> Closed {
        let (reason, detail) = reason(state, lastOwner)
        return .with {
            $0.reason = reason.rawValue
            $0.detail = detail
            $0.by = "reaper"
        }
    }

    private static func reason(_ state: SessionState, _ lastOwner: String) -> (Reason, detail: String) {
        let owners = [lastOwner, state.owner].filter { !$0.isEmpty && !$0.hasPrefix(workerPrefix) }
        guard !owners.isEmpty || !state.legs.isEmpty else {
            return (.clientDisconnected, "gone before the session began")
        }
        if !state.legs.isEmpty, state.legs.values.allSatisfy({ $0.current == nil }) {
            return (.clientDisconnected, "did not come back in time")
        }
        return (.lost, "the worker is gone and no other one took over")
    }

    // MARK: What is open

    private static func unknownOutcome(_ call: SessionState.ToolCallState) -> Event.OneOf_Body {
        .toolReturned(
            .with {
                $0.call = call.id
                $0.outcome = .toolUnknown
            })
    }

    /// The last report stands, as an interruption: the reply ended where its worker did. How much more of it may have been heard is in
    /// the error: no more than was synthesised.
    private static func heard(_ reply: ReplyState) -> Event.OneOf_Body {
        let known = reply.heard ?? Heard()
        let synthesised = reply.sentences.reduce(0) { $0 + ($1.audio?.samples ?? 0) }
        return .heard(
            .with {
                $0.reply = reply.number
                $0.samples = known.samples
                $0.text = known.text
                $0.error = max(known.error, synthesised - known.samples)
                $0.interrupted = true
            })
    }
}

import Foundation
import SessionLog

/// An event on its way into the tables. A class, since a batch sorts and groups thousands of them, and one is a dozen references to copy.
final class ArchivedEvent: Sendable {
    let key: EventKey
    let tenant: String
    let event: Event
    /// The event's bytes as they were logged.
    let payload: [UInt8]
    /// The reply whose row in `turns` the event shapes.
    let reply: ReplyKey?

    init(key: EventKey, tenant: String, event: Event, payload: [UInt8]) {
        self.key = key
        self.tenant = tenant
        self.event = event
        self.payload = payload
        reply = event.shapedReply.map { ReplyKey(session: key.session, reply: Int64($0)) }
    }

    /// Writer's clock in Unix milliseconds, brought into what a timestamp can hold: an event with a broken clock is kept.
    var wallClock: Int64 { min(max(event.wallClockMs, 0), Self.latestClock) }
    /// 2100-01-01.
    private static let latestClock: Int64 = 4_102_444_800_000

    /// Session time in milliseconds.
    var positionMilliseconds: Int64 { Self.milliseconds(event.position) }

    /// Samples at 16 kHz to milliseconds.
    static func milliseconds(_ samples: Int64) -> Int64 { samples / 16 }
}

extension Event {
    /// Name of the body in the column `kind`.
    var kind: String {
        switch body {
        case .opened: "opened"
        case .attached: "attached"
        case .detached: "detached"
        case .claimed: "claimed"
        case .userTurn: "user_turn"
        case .userPartial: "user_partial"
        case .replyStarted: "reply_started"
        case .replyWritten: "reply_written"
        case .sentence: "sentence"
        case .sentenceAudio: "sentence_audio"
        case .heard: "heard"
        case .replyProgress: "reply_progress"
        case .toolCalled: "tool_called"
        case .toolReturned: "tool_returned"
        case .handedOff: "handed_off"
        case .slotFilled: "slot_filled"
        case .flowMoved: "flow_moved"
        case .dtmf: "dtmf"
        case .command: "command"
        case .latency: "latency"
        case .usage: "usage"
        case .error: "error"
        case .closed: "closed"
        case nil: "unknown"
        }
    }

    /// The reply that the event is about, where it shapes what a reader of the transcript sees.
    var shapedReply: UInt32? {
        switch body {
        case .replyStarted(let started): started.reply
        case .sentence(let sentence): sentence.reply
        case .heard(let heard): heard.reply
        default: nil
        }
    }
}

extension String {
    /// PostgreSQL's text holds every character but NUL.
    var storable: String {
        utf8.contains(0) ? String(map { $0 == "\0" ? "\u{FFFD}" : $0 }) : self
    }

    /// nil instead of the empty string, which in protobuf means that nothing was said.
    var storableIfAny: String? { isEmpty ? nil : storable }
}

/// A session as the tables name it: the day it was opened, which decides the partition, and its id.
struct SessionKey: Hashable, Comparable, Sendable {
    /// `yyyy-mm-dd`.
    let day: String
    let session: String

    static func < (left: SessionKey, right: SessionKey) -> Bool {
        (left.day, left.session) < (right.day, right.session)
    }
}

/// What names an event everywhere: session, fence, sequence. Fences are milliseconds and fit a `bigint`.
struct EventKey: Hashable, Comparable, Sendable {
    let session: SessionKey
    let fence: Int64
    let sequence: Int64

    /// Place in the session's log.
    var position: LogPosition { LogPosition(fence: fence, sequence: sequence) }

    static func < (left: EventKey, right: EventKey) -> Bool {
        left.session == right.session ? left.position < right.position : left.session < right.session
    }
}

/// Place of an event in its session's log: the fence, then the sequence.
struct LogPosition: Hashable, Comparable, Sendable {
    let fence: Int64
    let sequence: Int64

    static func < (left: LogPosition, right: LogPosition) -> Bool {
        (left.fence, left.sequence) < (right.fence, right.sequence)
    }
}

/// One reply of one session.
struct ReplyKey: Hashable, Comparable, Sendable {
    let session: SessionKey
    let reply: Int64

    static func < (left: ReplyKey, right: ReplyKey) -> Bool {
        left.session == right.session ? left.reply < right.reply : left.session < right.session
    }
}

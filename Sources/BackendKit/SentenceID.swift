/// Number of a user turn within its session, from 1.
public typealias TurnNumber = UInt32
/// Number of a reply within its session, from 1.
public typealias ReplyNumber = UInt32

/// Names one sentence of one reply.
public struct SentenceID: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// Number of the reply within its session, from 1.
    public var reply: UInt32
    /// Number of the sentence within its reply, from 0.
    public var index: UInt32

    public init(reply: UInt32, index: UInt32) {
        self.reply = reply
        self.index = index
    }

    public static func < (a: SentenceID, b: SentenceID) -> Bool { (a.reply, a.index) < (b.reply, b.index) }
    public var description: String { "\(reply).\(index)" }
}

/// How a turn of the caller came about.
public enum TurnInputKind: String, Sendable, Hashable { case speech, text, dtmf }

import Foundation
import RedisClient

/// An entry of a Redis stream.
struct StreamEntry: Sendable, Hashable {
    let id: ID
    let fields: [String: RESPValue]

    /// Redis orders entries by the two numbers of their id.
    struct ID: Hashable, Comparable, Sendable, CustomStringConvertible {
        let major: UInt64
        let minor: UInt64

        init(major: UInt64, minor: UInt64) {
            self.major = major
            self.minor = minor
        }

        init?(_ text: String) {
            let parts = text.split(separator: "-", omittingEmptySubsequences: false)
            guard parts.count == 2, let major = UInt64(parts[0]), let minor = UInt64(parts[1]) else { return nil }
            self.init(major: major, minor: minor)
        }

        static let start = ID(major: 0, minor: 0)

        static func < (left: ID, right: ID) -> Bool { (left.major, left.minor) < (right.major, right.minor) }
        var description: String { "\(major)-\(minor)" }
    }

    /// Nil when the reply is no entry.
    init?(_ reply: RESPValue) {
        guard let parts = reply.array, parts.count == 2, let id = parts[0].string.flatMap(ID.init),
            let fields = parts[1].dictionary
        else { return nil }
        self.id = id
        self.fields = fields
    }

    /// The entries of an XRANGE.
    static func entries(_ reply: RESPValue) -> [StreamEntry] { (reply.array ?? []).compactMap(StreamEntry.init) }

    /// The stored event of an entry of a session log.
    var event: Data? { fields["event"]?.bytes.map { Data($0) } }
}

package import Cryptography
import Foundation

/// Tickets of internal links: (session, fence, role), signed, valid for 30 s.
package struct RelayTickets: Sendable {
    package static let lifetime = Duration.seconds(30)
    private static let role = "relay"
    /// What a control connection names instead of a session.
    package static let watch = "watch"

    private let keys: KeyRing

    package init(keys: KeyRing) { self.keys = keys }

    /// A ticket for the dispatcher that attaches a caller.
    package func issue(session: String, fence: UInt64) throws -> String {
        try SignedTicket.issue(Array("\(Self.role) \(session) \(fence)".utf8), lifetime: Self.lifetime, keys: keys, now: Self.now)
    }

    /// What is wrong with a ticket for this session and fence; nil when it is good.
    package func problem(with ticket: String, session: String, fence: UInt64) -> String? {
        do {
            let verified = try SignedTicket.verify(ticket, keys: keys, now: Self.now)
            let statement = String(decoding: verified.statement, as: UTF8.self)
            return statement == "\(Self.role) \(session) \(fence)" ? nil : "the ticket is for another session, fence or role"
        } catch {
            return "the ticket is not accepted: \(error)"
        }
    }

    private static var now: Int64 { Int64(Date().timeIntervalSince1970 * 1_000) }
}

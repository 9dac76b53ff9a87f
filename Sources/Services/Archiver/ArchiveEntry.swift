import Foundation
import RedisClient
import SessionLog

/// One entry of an archive stream, understood or not.
struct ArchiveEntry: Sendable {
    /// What it turned out to be.
    enum Content: Sendable {
        case event(ArchivedEvent)
        case garbage(reason: String)
    }

    /// Stream it was read from.
    let stream: String
    /// Entry id, `milliseconds-number`.
    let id: String
    /// Field names and values as they came.
    let fields: [String: RESPValue]
    let content: Content

    init(stream: String, id: String, fields: [String: RESPValue]) {
        self.stream = stream
        self.id = id
        self.fields = fields
        do {
            content = .event(try Self.event(fields))
        } catch let error as Garbage {
            content = .garbage(reason: error.reason)
        } catch {
            content = .garbage(reason: "\(error)")
        }
    }

    /// Redis time at which the entry was added, in Unix milliseconds.
    var addedAt: Int64? { id.split(separator: "-").first.flatMap { Int64($0) } }

    /// The session that the entry's event closes.
    var closedSession: String? {
        guard case .event(let event) = content, case .closed(_)? = event.event.body else { return nil }
        return event.key.session.session
    }

    private struct Garbage: Error {
        let reason: String
    }

    private static func event(_ fields: [String: RESPValue]) throws -> ArchivedEvent {
        func field(_ name: String) throws -> RESPValue {
            guard let value = fields[name] else { throw Garbage(reason: "the entry has no field '\(name)'") }
            return value
        }
        let session = try SessionID(try field("session").string ?? "")
        guard let tenant = try field("tenant").string, !tenant.isEmpty else {
            throw Garbage(reason: "the entry names no tenant")
        }
        guard let payload = try field("event").bytes else { throw Garbage(reason: "the field 'event' holds no bytes") }
        let event = try Event(stored: Data(payload))
        guard let fence = Int64(exactly: event.fence), let sequence = Int64(exactly: event.sequence), fence > 0,
            sequence > 0
        else {
            throw Garbage(reason: "the event's fence \(event.fence) or sequence \(event.sequence) is none")
        }
        guard try field("fence").integer == fence, try field("sequence").integer == sequence else {
            throw Garbage(reason: "the entry's fence and sequence are not those of its event (\(fence), \(sequence))")
        }
        let key = SessionKey(day: session.openingDate.iso, session: session.description)
        return ArchivedEvent(
            key: EventKey(session: key, fence: fence, sequence: sequence), tenant: tenant.storable, event: event,
            payload: payload)
    }
}

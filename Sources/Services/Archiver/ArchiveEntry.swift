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
    let content: Content
    /// Field names and values in turn, as they came.
    private let raw: [RESPValue]

    /// - Parameters:
    ///   - fields: names and values in turn
    ///   - sessions: of entries before
    init(stream: String, id: String, fields: [RESPValue], sessions: SessionCache) {
        self.stream = stream
        self.id = id
        raw = fields
        do {
            content = .event(try Self.event(fields, sessions))
        } catch let error as Garbage {
            content = .garbage(reason: error.reason)
        } catch {
            content = .garbage(reason: "\(error)")
        }
    }

    /// The fields by name. Only of interest where the entry is put aside.
    var fields: [String: RESPValue] { RESPValue.array(raw).dictionary ?? [:] }

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

    /// The fields that are needed, each by its name in bytes: a dictionary for each entry would cost more than all else here.
    private struct Fields {
        private static let names = ["session", "fence", "sequence", "tenant", "event"].map { Array($0.utf8) }

        var session, fence, sequence, tenant, event: RESPValue?

        init(_ raw: [RESPValue]) {
            for index in stride(from: 0, to: raw.count - 1, by: 2) {
                guard case .bytes(let name) = raw[index] else { continue }
                switch Self.names.firstIndex(of: name) {
                case 0: session = raw[index + 1]
                case 1: fence = raw[index + 1]
                case 2: sequence = raw[index + 1]
                case 3: tenant = raw[index + 1]
                case 4: event = raw[index + 1]
                default: break
                }
            }
        }
    }

    private static func event(_ raw: [RESPValue], _ sessions: SessionCache) throws -> ArchivedEvent {
        let fields = Fields(raw)
        func field(_ name: String, _ value: RESPValue?) throws -> RESPValue {
            guard let value else { throw Garbage(reason: "the entry has no field '\(name)'") }
            return value
        }
        let session = try sessions.key(try field("session", fields.session).bytes ?? [])
        guard let tenant = try field("tenant", fields.tenant).string, !tenant.isEmpty else {
            throw Garbage(reason: "the entry names no tenant")
        }
        guard let payload = try field("event", fields.event).bytes else {
            throw Garbage(reason: "the field 'event' holds no bytes")
        }
        let event = try Event(stored: Data(payload))
        guard let fence = Int64(exactly: event.fence), let sequence = Int64(exactly: event.sequence), fence > 0,
            sequence > 0
        else {
            throw Garbage(reason: "the event's fence \(event.fence) or sequence \(event.sequence) is none")
        }
        guard try field("fence", fields.fence).integer == fence,
            try field("sequence", fields.sequence).integer == sequence
        else {
            throw Garbage(reason: "the entry's fence and sequence are not those of its event (\(fence), \(sequence))")
        }
        return ArchivedEvent(
            key: EventKey(session: session, fence: fence, sequence: sequence), tenant: tenant.storable, event: event,
            payload: payload)
    }
}

import Foundation
import RedisClient

/// An entry that cannot be stored, as it is put aside.
struct DeadLetter: Sendable {
    let entry, stream: String
    let session, tenant: String?
    let fence, sequence: Int64?
    let reason: String
    /// JSON object.
    let fields: String
    let payload: [UInt8]?

    init(_ entry: ArchiveEntry, reason: String) {
        self.entry = "\(entry.stream)/\(entry.id)"
        stream = entry.stream
        session = entry.fields["session"]?.string?.storable
        tenant = entry.fields["tenant"]?.string?.storable
        fence = entry.fields["fence"]?.integer
        sequence = entry.fields["sequence"]?.integer
        self.reason = reason.storable
        payload = entry.fields["event"]?.bytes
        fields = Self.json(entry)
    }

    private static func json(_ entry: ArchiveEntry) -> String {
        let texts = entry.fields.filter { $0.key != "event" }.map { name, value in
            (name.storable, text(value.bytes ?? []))
        }
        let object = Dictionary(texts, uniquingKeysWith: { first, _ in first })
        return (try? JSONEncoder().encode(object)).map { String(decoding: $0, as: UTF8.self) } ?? "{}"
    }

    private static func text(_ bytes: [UInt8]) -> String {
        if let text = String(validating: bytes, as: UTF8.self), !text.contains("\0") { return text }
        return bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}

/// A session in a batch.
struct ArchivedSession: Sendable {
    let key: SessionKey
    let tenant: String
}

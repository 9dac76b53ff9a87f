/// A reply of Redis (RESP2).
package enum RESPValue: Sendable, Hashable {
    case null
    case integer(Int64)
    /// `OK`, `PONG`.
    case status(String)
    case bytes([UInt8])
    case array([RESPValue])
    /// A refusal, with its code as the first word.
    case error(String)

    /// The text of bytes or a status; nil for anything else. Bytes that are no UTF-8 are repaired.
    package var string: String? {
        switch self {
        case .status(let text): text
        case .bytes(let bytes): String(decoding: bytes, as: UTF8.self)
        default: nil
        }
    }

    /// An integer, or bytes that spell one.
    package var integer: Int64? {
        switch self {
        case .integer(let value): value
        case .bytes, .status: string.flatMap { Int64($0) }
        default: nil
        }
    }

    /// The bytes of a string reply; nil for anything else.
    package var bytes: [UInt8]? {
        if case .bytes(let bytes) = self { bytes } else { nil }
    }

    package var array: [RESPValue]? {
        if case .array(let values) = self { values } else { nil }
    }

    package var isNull: Bool { self == .null }

    /// The value, unless it is a refusal.
    ///
    /// - Throws: `server`
    package func value() throws(RedisError) -> RESPValue {
        if case .error(let message) = self { throw RedisError(.server, message) }
        return self
    }

    /// A flat array of names and values, as HGETALL and stream entries have them. Nil when it is none.
    package var dictionary: [String: RESPValue]? {
        guard let array, array.count.isMultiple(of: 2) else { return nil }
        var result: [String: RESPValue] = [:]
        for index in stride(from: 0, to: array.count, by: 2) {
            guard let name = array[index].string else { return nil }
            result[name] = array[index + 1]
        }
        return result
    }
}

/// One parameter of a statement.
///
/// Scalars travel as text, whose type the server infers; byte strings and arrays travel in binary form, because a batch of
/// thousands of rows is a handful of arrays and parsing their text form would cost more than storing them.
package struct PostgresValue: Sendable {
    enum Storage: Sendable {
        case null
        case text(String)
        case binary([UInt8], type: UInt32)
    }

    let storage: Storage

    /// SQL NULL.
    package static let null = PostgresValue(storage: .null)

    /// Text, or anything whose text form the server reads: dates, JSON, numbers with a cast. Must not contain NUL.
    package static func text(_ value: String?) -> PostgresValue {
        value.map { PostgresValue(storage: .text($0)) } ?? .null
    }

    package static func integer(_ value: (some BinaryInteger)?) -> PostgresValue {
        value.map { PostgresValue(storage: .text(String($0))) } ?? .null
    }

    package static func double(_ value: Double?) -> PostgresValue {
        value.map { PostgresValue(storage: .text(String($0))) } ?? .null
    }

    package static func bool(_ value: Bool?) -> PostgresValue {
        value.map { PostgresValue(storage: .text($0 ? "t" : "f")) } ?? .null
    }

    /// `bytea`.
    package static func bytes(_ value: [UInt8]?) -> PostgresValue {
        value.map { PostgresValue(storage: .binary($0, type: TypeID.bytes)) } ?? .null
    }

    /// `text[]`; cast in the statement when another type is meant (`unnest($1::text[])::date`).
    package static func texts(_ values: [String?]) -> PostgresValue {
        array(values, of: TypeID.text) { value, into in into.append(contentsOf: value.utf8) }
    }

    /// `bigint[]`.
    package static func integers(_ values: [Int64?]) -> PostgresValue {
        array(values, of: TypeID.integer) { value, into in append(value, to: &into) }
    }

    /// `double precision[]`.
    package static func doubles(_ values: [Double?]) -> PostgresValue {
        array(values, of: TypeID.double) { value, into in append(value.bitPattern, to: &into) }
    }

    /// `boolean[]`.
    package static func bools(_ values: [Bool?]) -> PostgresValue {
        array(values, of: TypeID.bool) { value, into in into.append(value ? 1 : 0) }
    }

    /// `bytea[]`.
    package static func byteStrings(_ values: [[UInt8]?]) -> PostgresValue {
        array(values, of: TypeID.bytes) { value, into in into.append(contentsOf: value) }
    }

    /// `timestamptz[]` from Unix milliseconds.
    package static func timestamps(milliseconds values: [Int64?]) -> PostgresValue {
        array(values, of: TypeID.timestamp) { value, into in
            append((value &- postgresEpochMilliseconds) &* 1000, to: &into)
        }
    }

    /// Object ids of built-in types (pg_type.dat); they have never changed.
    private enum TypeID {
        static let bool: UInt32 = 16
        static let bytes: UInt32 = 17
        static let integer: UInt32 = 20
        static let text: UInt32 = 25
        static let double: UInt32 = 701
        static let timestamp: UInt32 = 1184
    }

    /// 2000-01-01 in Unix milliseconds: binary timestamps count microseconds from there.
    private static let postgresEpochMilliseconds: Int64 = 946_684_800_000

    /// The array wire format: dimensions, null flag, element type, length, lower bound, then length-prefixed elements.
    private static func array<Element>(
        _ values: [Element?], of type: UInt32, _ write: (Element, inout [UInt8]) -> Void
    ) -> PostgresValue {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(20 + values.count * 12)
        append(Int32(values.isEmpty ? 0 : 1), to: &bytes)
        append(Int32(values.contains { $0 == nil } ? 1 : 0), to: &bytes)
        append(type, to: &bytes)
        if !values.isEmpty {
            append(Int32(values.count), to: &bytes)
            append(Int32(1), to: &bytes)
        }
        for value in values {
            guard let value else {
                append(Int32(-1), to: &bytes)
                continue
            }
            let lengthAt = bytes.count
            append(Int32(0), to: &bytes)
            write(value, &bytes)
            let length = UInt32(bytes.count - lengthAt - 4)
            for offset in 0..<4 { bytes[lengthAt + offset] = UInt8(truncatingIfNeeded: length >> (24 - 8 * offset)) }
        }
        return PostgresValue(storage: .binary(bytes, type: arrayType(of: type)))
    }

    private static func arrayType(of element: UInt32) -> UInt32 {
        switch element {
        case TypeID.bool: 1000
        case TypeID.bytes: 1001
        case TypeID.text: 1009
        case TypeID.integer: 1016
        case TypeID.double: 1022
        case TypeID.timestamp: 1185
        default: 0
        }
    }

    private static func append(_ value: some FixedWidthInteger, to bytes: inout [UInt8]) {
        unsafe withUnsafeBytes(of: value.bigEndian) { number in unsafe bytes.append(contentsOf: number) }
    }
}

extension PostgresValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByNilLiteral
{
    package init(stringLiteral value: String) { self = .text(value) }
    package init(integerLiteral value: Int) { self = .integer(value) }
    package init(booleanLiteral value: Bool) { self = .bool(value) }
    package init(nilLiteral: ()) { self = .null }
}

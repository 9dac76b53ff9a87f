/// Fills the node list of a `JSONDocument` in one pass (RFC 8259).
struct JSONParser {
    /// Deeper nesting is refused: it is an attack or an accident.
    static let maximumDepth = 64

    private(set) var nodes: [JSONDocument.Node] = []
    private var at = 0

    mutating func parse(_ bytes: UnsafeRawBufferPointer) throws(JSONError) {
        guard bytes.count <= Int32.max else { throw JSONError(message: "text too long", offset: 0) }
        nodes.reserveCapacity(min(256, bytes.count / 8 + 4))
        skipSpace(bytes)
        try value(bytes, depth: 0)
        skipSpace(bytes)
        guard at == bytes.count else { throw fail("something follows the value") }
    }

    private mutating func value(_ bytes: UnsafeRawBufferPointer, depth: Int) throws(JSONError) {
        guard depth <= Self.maximumDepth else { throw fail("nested deeper than \(Self.maximumDepth)") }
        guard at < bytes.count else { throw fail("text ends where a value is due") }
        switch bytes[at] {
        case UInt8(ascii: "{"): try object(bytes, depth: depth)
        case UInt8(ascii: "["): try array(bytes, depth: depth)
        case UInt8(ascii: "\""): try string(bytes)
        case UInt8(ascii: "t"): try literal(bytes, "true", .yes)
        case UInt8(ascii: "f"): try literal(bytes, "false", .no)
        case UInt8(ascii: "n"): try literal(bytes, "null", .null)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): try number(bytes)
        default: throw fail("unexpected character")
        }
    }

    private mutating func object(_ bytes: UnsafeRawBufferPointer, depth: Int) throws(JSONError) {
        let node = open(.object)
        if try closes(bytes, UInt8(ascii: "}")) { return close(node) }
        while true {
            guard at < bytes.count, bytes[at] == UInt8(ascii: "\"") else { throw fail("expected a member's name") }
            try string(bytes)
            skipSpace(bytes)
            guard at < bytes.count, bytes[at] == UInt8(ascii: ":") else { throw fail("expected ':'") }
            at += 1
            skipSpace(bytes)
            try value(bytes, depth: depth + 1)
            if try separator(bytes, end: UInt8(ascii: "}")) { return close(node) }
        }
    }

    private mutating func array(_ bytes: UnsafeRawBufferPointer, depth: Int) throws(JSONError) {
        let node = open(.array)
        if try closes(bytes, UInt8(ascii: "]")) { return close(node) }
        while true {
            try value(bytes, depth: depth + 1)
            if try separator(bytes, end: UInt8(ascii: "]")) { return close(node) }
        }
    }

    /// After an opening bracket: true when the closing one follows at once.
    private mutating func closes(_ bytes: UnsafeRawBufferPointer, _ end: UInt8) throws(JSONError) -> Bool {
        at += 1
        skipSpace(bytes)
        guard at < bytes.count else { throw fail("text ends inside a value") }
        guard bytes[at] == end else { return false }
        at += 1
        return true
    }

    /// After an element: true at the closing bracket, false after a comma.
    private mutating func separator(_ bytes: UnsafeRawBufferPointer, end: UInt8) throws(JSONError) -> Bool {
        skipSpace(bytes)
        guard at < bytes.count else { throw fail("text ends inside a value") }
        let character = bytes[at]
        guard character == end || character == UInt8(ascii: ",") else {
            throw fail("expected ',' or a closing bracket")
        }
        at += 1
        if character == end { return true }
        skipSpace(bytes)
        return false
    }

    private mutating func string(_ bytes: UnsafeRawBufferPointer) throws(JSONError) {
        at += 1
        let start = at
        var escaped = false
        while at < bytes.count {
            switch bytes[at] {
            case UInt8(ascii: "\""):
                add(escaped ? .escapedString : .string, start, at)
                at += 1
                return
            case UInt8(ascii: "\\"):
                escaped = true
                at += 2
            case 0..<0x20: throw fail("control character in a string")
            default: at += 1
            }
        }
        throw fail("unclosed string")
    }

    private mutating func number(_ bytes: UnsafeRawBufferPointer) throws(JSONError) {
        let start = at
        if bytes[at] == UInt8(ascii: "-") { at += 1 }
        let digits = at
        scan: while at < bytes.count {
            switch bytes[at] {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "e"), UInt8(ascii: "E"),
                UInt8(ascii: "+"), UInt8(ascii: "-"):
                at += 1
            default: break scan
            }
        }
        guard at > digits else { throw fail("expected a digit") }
        add(.number, start, at)
    }

    private mutating func literal(
        _ bytes: UnsafeRawBufferPointer, _ text: StaticString, _ kind: JSONDocument.Node.Kind
    ) throws(JSONError) {
        let end = at + text.utf8CodeUnitCount
        guard end <= bytes.count, text.withUTF8Buffer({ $0.elementsEqual(bytes[at..<end]) }) else {
            throw fail("unknown word")
        }
        add(kind, at, end)
        at = end
    }

    private mutating func skipSpace(_ bytes: UnsafeRawBufferPointer) {
        while at < bytes.count {
            switch bytes[at] {
            case 0x20, 0x09, 0x0A, 0x0D: at += 1
            default: return
            }
        }
    }

    private mutating func open(_ kind: JSONDocument.Node.Kind) -> Int {
        nodes.append(.init(kind: kind, start: Int32(at), end: Int32(at), next: 0))
        return nodes.count - 1
    }

    private mutating func close(_ node: Int) {
        nodes[node].end = Int32(at)
        nodes[node].next = Int32(nodes.count)
    }

    private mutating func add(_ kind: JSONDocument.Node.Kind, _ start: Int, _ end: Int) {
        nodes.append(.init(kind: kind, start: Int32(start), end: Int32(end), next: Int32(nodes.count + 1)))
    }

    private func fail(_ message: String) -> JSONError { JSONError(message: message, offset: at) }

    /// Resolves escapes; unknown ones stand for themselves, lone surrogates become U+FFFD.
    static func unescape(_ raw: UnsafeRawBufferPointer) -> String {
        var out: [UInt8] = []
        out.reserveCapacity(raw.count)
        var at = 0
        while at < raw.count {
            guard raw[at] == UInt8(ascii: "\\"), at + 1 < raw.count else {
                out.append(raw[at])
                at += 1
                continue
            }
            let code = raw[at + 1]
            at += 2
            switch code {
            case UInt8(ascii: "n"): out.append(0x0A)
            case UInt8(ascii: "t"): out.append(0x09)
            case UInt8(ascii: "r"): out.append(0x0D)
            case UInt8(ascii: "b"): out.append(0x08)
            case UInt8(ascii: "f"): out.append(0x0C)
            case UInt8(ascii: "u"): out += Array(String(scalar(raw, &at)).utf8)
            default: out.append(code)
            }
        }
        return String(decoding: out, as: UTF8.self)
    }

    /// Reads the digits after `\u`, and the second half of a surrogate pair.
    private static func scalar(_ raw: UnsafeRawBufferPointer, _ at: inout Int) -> Character {
        guard let first = hex(raw, at) else { return "\u{FFFD}" }
        at += 4
        if 0xD800..<0xDC00 ~= first, at + 1 < raw.count, raw[at] == UInt8(ascii: "\\"),
            raw[at + 1] == UInt8(ascii: "u"),
            let second = hex(raw, at + 2), 0xDC00..<0xE000 ~= second
        {
            at += 6
            let value = 0x10000 + (first - 0xD800) << 10 + (second - 0xDC00)
            return Unicode.Scalar(value).map(Character.init) ?? "\u{FFFD}"
        }
        return Unicode.Scalar(first).map(Character.init) ?? "\u{FFFD}"
    }

    private static func hex(_ raw: UnsafeRawBufferPointer, _ at: Int) -> UInt32? {
        guard at + 4 <= raw.count else { return nil }
        var value: UInt32 = 0
        for byte in raw[at..<(at + 4)] {
            guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue else { return nil }
            value = value << 4 | UInt32(digit)
        }
        return value
    }
}

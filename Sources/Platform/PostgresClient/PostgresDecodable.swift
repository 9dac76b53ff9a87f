/// A type that a column's text form can be read as.
package protocol PostgresDecodable {
    /// What an error calls the type.
    static var postgresName: String { get }
    /// nil when the text is not a value of the type.
    init?(postgresText text: String)
}

extension String: PostgresDecodable {
    package static var postgresName: String { "text" }
    package init?(postgresText text: String) { self = text }
}

extension Int: PostgresDecodable {
    package static var postgresName: String { "an integer" }
    package init?(postgresText text: String) { self.init(text) }
}

extension Int64: PostgresDecodable {
    package static var postgresName: String { "an integer" }
    package init?(postgresText text: String) { self.init(text) }
}

extension UInt64: PostgresDecodable {
    package static var postgresName: String { "a non-negative integer" }
    package init?(postgresText text: String) { self.init(text) }
}

extension Double: PostgresDecodable {
    package static var postgresName: String { "a number" }
    package init?(postgresText text: String) { self.init(text) }
}

extension Bool: PostgresDecodable {
    package static var postgresName: String { "a boolean" }
    package init?(postgresText text: String) {
        switch text {
        case "t": self = true
        case "f": self = false
        default: return nil
        }
    }
}

extension Array: PostgresDecodable where Element: PostgresArrayElement {
    package static var postgresName: String { Element.postgresArrayName }
    package init?(postgresText text: String) {
        guard let elements = Element.postgresArray(text) else { return nil }
        self = elements
    }
}

/// What an array column may hold: `text[]` as `[String]`, and `bytea` as `[UInt8]`.
package protocol PostgresArrayElement {
    static var postgresArrayName: String { get }
    static func postgresArray(_ text: String) -> [Self]?
}

extension UInt8: PostgresArrayElement {
    package static var postgresArrayName: String { "bytes" }

    /// The hex form, `\x00ff`.
    package static func postgresArray(_ text: String) -> [UInt8]? {
        guard text.hasPrefix("\\x") else { return nil }
        let digits = text.utf8.dropFirst(2)
        guard digits.count.isMultiple(of: 2) else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(digits.count / 2)
        var high: UInt8?
        for digit in digits {
            guard let nibble = nibble(digit) else { return nil }
            if let first = high {
                bytes.append(first << 4 | nibble)
                high = nil
            } else {
                high = nibble
            }
        }
        return bytes
    }

    private static func nibble(_ digit: UInt8) -> UInt8? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}

extension String: PostgresArrayElement {
    package static var postgresArrayName: String { "an array of text" }

    /// The text form of a one-dimensional array: `{plain,"with \"quotes\""}`. NULL elements are refused.
    package static func postgresArray(_ text: String) -> [String]? {
        guard text.hasPrefix("{"), text.hasSuffix("}") else { return nil }
        var elements: [String] = []
        var current = ""
        var (isQuoted, wasQuoted, isEscaped) = (false, false, false)
        func isNull() -> Bool { !wasQuoted && current.uppercased() == "NULL" }
        let body = text.dropFirst().dropLast()
        for character in body {
            switch character {
            case _ where isEscaped:
                current.append(character)
                isEscaped = false
            case "\\": isEscaped = true
            case "\"":
                isQuoted.toggle()
                wasQuoted = true
            case "," where !isQuoted:
                if isNull() { return nil }
                elements.append(current)
                (current, wasQuoted) = ("", false)
            default: current.append(character)
            }
        }
        guard !isQuoted, !isEscaped else { return nil }
        if !body.isEmpty {
            if isNull() { return nil }
            elements.append(current)
        }
        return elements
    }
}

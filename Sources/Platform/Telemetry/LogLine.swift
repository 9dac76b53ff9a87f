package import Logging

/// One log message and the ways to write it down.
package struct LogLine: Sendable {
    /// Milliseconds since the epoch.
    package var time: Int64
    package var level: Logger.Level
    /// The name of the process.
    package var service: String
    /// The logger's label, when it is not the service itself.
    package var label: String?
    package var message: String
    package var metadata: Logger.Metadata
    /// Whether personal metadata is written as it is.
    package var showsPersonal: Bool

    package init(
        time: Int64, level: Logger.Level, service: String, label: String? = nil, message: String,
        metadata: Logger.Metadata = [:],
        showsPersonal: Bool = false
    ) {
        self.time = time
        self.level = level
        self.service = service
        self.label = label
        self.message = message
        self.metadata = metadata
        self.showsPersonal = showsPersonal
    }

    /// One JSON object and a newline: `ts`, `level`, `service`, `msg`, `logger` where it differs, then the metadata by key.
    ///
    /// Metadata that uses one of these names is written with `meta_` before it.
    package var json: [UInt8] {
        var text = "{\"ts\":\"\(Timestamp.rfc3339(milliseconds: time))\",\"level\":\"\(level.rawValue)\",\"service\":"
        Self.quote(service, into: &text)
        text += ",\"msg\":"
        Self.quote(message, into: &text)
        if let label {
            text += ",\"logger\":"
            Self.quote(label, into: &text)
        }
        for (key, value) in metadata.sorted(by: { $0.key < $1.key }) {
            text += ","
            Self.quote(Self.reservedKeys.contains(key) ? "meta_" + key : key, into: &text)
            text += ":"
            write(value, into: &text)
        }
        text += "}\n"
        return Array(text.utf8)
    }

    /// Time of day, level, service, message and metadata on one line with a newline.
    package var text: [UInt8] {
        let time = Timestamp.rfc3339(milliseconds: time).dropFirst(11).dropLast()
        let level = level.rawValue.uppercased()
        let padding = String(repeating: " ", count: max(0, 8 - level.count))
        var text = "\(time) \(level)\(padding) \(label ?? service): \(Self.oneLine(message))"
        for (key, value) in metadata.sorted(by: { $0.key < $1.key }) {
            text += " \(key)=\(Self.oneLine(plain(value)))"
        }
        return Array((text + "\n").utf8)
    }

    private static let reservedKeys: Set<String> = ["ts", "level", "service", "msg", "logger"]

    private func plain(_ value: Logger.MetadataValue) -> String {
        switch value {
        case .string(let string): string
        case .stringConvertible(let convertible): showing(convertible)
        case .array(let values): "[" + values.map(plain).joined(separator: ", ") + "]"
        case .dictionary(let values):
            "{" + values.sorted { $0.key < $1.key }.map { "\($0.key): \(plain($0.value))" }.joined(separator: ", ")
                + "}"
        }
    }

    private func showing(_ convertible: any CustomStringConvertible) -> String {
        guard showsPersonal, let personal = convertible as? PersonalText else { return convertible.description }
        return personal.text
    }

    private func write(_ value: Logger.MetadataValue, into text: inout String) {
        switch value {
        case .string(let string): Self.quote(string, into: &text)
        case .stringConvertible(let number as any BinaryInteger & CustomStringConvertible): text += number.description
        case .stringConvertible(let number as Double) where number.isFinite: text += number.description
        case .stringConvertible(let flag as Bool): text += flag.description
        case .stringConvertible(let convertible): Self.quote(showing(convertible), into: &text)
        case .array(let values):
            text += "["
            for (index, value) in values.enumerated() {
                if index > 0 { text += "," }
                write(value, into: &text)
            }
            text += "]"
        case .dictionary(let values):
            text += "{"
            for (index, entry) in values.sorted(by: { $0.key < $1.key }).enumerated() {
                if index > 0 { text += "," }
                Self.quote(entry.key, into: &text)
                text += ":"
                write(entry.value, into: &text)
            }
            text += "}"
        }
    }

    // Line breaks and escape sequences in a message must not forge other lines or play with the terminal.
    private static func oneLine(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F }) else { return text }
        return text.unicodeScalars.reduce(into: "") { result, scalar in
            switch scalar {
            case "\n": result += "\\n"
            case _ where scalar.value < 0x20 || scalar.value == 0x7F: result += "?"
            default: result.unicodeScalars.append(scalar)
            }
        }
    }

    private static func quote(_ string: String, into text: inout String) {
        text += "\""
        for scalar in string.unicodeScalars {
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            case "\r": text += "\\r"
            case "\t": text += "\\t"
            case _ where scalar.value < 0x20:
                let digits = String(scalar.value, radix: 16)
                text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: text.unicodeScalars.append(scalar)
            }
        }
        text += "\""
    }
}

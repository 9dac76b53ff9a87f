import NIOCore
import WireCoding

/// Makes a tool call's arguments a JSON object where the stream was ragged.
package enum JSONRepair {
    /// - Nothing becomes `{}`, a string that contains JSON its content (some servers encode twice), a text that was cut off is closed.
    /// - What cannot be repaired comes back as it is; the tool's schema check will name the fault.
    package static func object(_ text: String) -> String {
        let trimmed = text.drop { $0.isWhitespace }
        if trimmed.isEmpty { return "{}" }
        if let document = try? JSONDocument(text) {
            if let inner = document.root.string, (try? JSONDocument(inner))?.root.isObject == true { return inner }
            return document.root.isNull ? "{}" : text
        }
        let closed = close(text)
        return (try? JSONDocument(closed)) != nil ? closed : text
    }

    /// Appends the quotes and brackets that are open at the end, after taking a dangling comma or key away.
    private static func close(_ text: String) -> String {
        var open: [Character] = []
        var inString = false
        var escaped = false
        for character in text {
            if inString {
                if escaped {
                    escaped = false
                } else if character == "\\" {
                    escaped = true
                } else if character == "\"" {
                    inString = false
                }
                continue
            }
            switch character {
            case "\"": inString = true
            case "{": open.append("}")
            case "[": open.append("]")
            case "}", "]": if open.last == character { open.removeLast() }
            default: break
            }
        }
        var result = escaped ? String(text.dropLast()) : text
        if inString { result += "\"" }
        while let last = result.last, last.isWhitespace || last == "," { result.removeLast() }
        if result.last == ":" { result += "null" }
        return result + String(open.reversed())
    }
}

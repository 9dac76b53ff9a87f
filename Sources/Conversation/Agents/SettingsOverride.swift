import Foundation

/// Puts single values of a YAML mapping over a `Codable` settings value, so that a settings type is described once: by itself.
enum SettingsOverride {
    /// Keys are the coding keys in snake case; unknown ones are reported by the mapping's `finish()`.
    static func apply<Settings: Codable>(to base: Settings, from node: inout ConfigurationNode) -> Settings {
        guard let data = try? JSONEncoder().encode(base),
            var object = (try? JSONSerialization.jsonObject(with: data)) as? [String: Any]
        else { return base }
        for key in object.keys.sorted() {
            let name = snakeCase(key)
            if object[key] is [Any] {
                let values = node.strings(name)
                if !values.isEmpty { object[key] = values }
                continue
            }
            guard let text = node.string(name) else { continue }
            object[key] = value(text, like: object[key])
        }
        do {
            return try JSONDecoder().decode(Settings.self, from: JSONSerialization.data(withJSONObject: object))
        } catch let DecodingError.typeMismatch(_, context), let DecodingError.valueNotFound(_, context),
            let DecodingError.dataCorrupted(context)
        {
            let key = context.codingPath.last.map { snakeCase($0.stringValue) } ?? "?"
            node.child(key).fail("is not a value of the right kind")
            return base
        } catch {
            node.fail("cannot be read: \(error)")
            return base
        }
    }

    private static func value(_ text: String, like old: Any?) -> Any {
        if old is String { return text }
        if let number = Int(text) { return number }
        if let number = Double(text) { return number }
        switch text {
        case "true", "yes", "on": return true
        case "false", "no", "off": return false
        default: return text
        }
    }

    private static func snakeCase(_ name: String) -> String {
        var result = ""
        for character in name {
            if character.isUppercase {
                result += "_" + character.lowercased()
            } else {
                result.append(character)
            }
        }
        return result
    }
}

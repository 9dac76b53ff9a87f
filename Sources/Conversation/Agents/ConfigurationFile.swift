import Yams

/// What is wrong in a YAML file that a person wrote, and where.
package struct ConfigurationFileError: Error, Sendable, Hashable, CustomStringConvertible {
    package struct Problem: Sendable, Hashable, CustomStringConvertible {
        /// From 1; nil where the parser does not say.
        package var line: Int?
        /// Where in the document: `pipeline.stt`.
        package var path: String
        package var message: String

        package var description: String {
            let place = line.map { "line \($0): " } ?? ""
            return path.isEmpty ? "\(place)\(message)" : "\(place)\(path): \(message)"
        }
    }

    /// File name or other origin.
    package var source: String
    package var problems: [Problem]

    package var description: String {
        "\(source): " + problems.map(\.description).joined(separator: "\n\(source): ")
    }
}

/// A YAML document that is read by a fixed set of keys: every key that nobody asked for is reported, with the nearest known one.
///
/// All problems of a file are collected and thrown together by `finish()`.
package final class ConfigurationFile {
    private let source: String
    private var problems: [ConfigurationFileError.Problem] = []

    private init(source: String) { self.source = source }

    /// Parses `text` and reads it with `body`. Throws `ConfigurationFileError` with every problem found.
    package static func read<Value>(
        _ text: String, source: String, _ body: (inout ConfigurationNode) -> Value
    ) throws(ConfigurationFileError) -> Value {
        let file = ConfigurationFile(source: source)
        guard text.utf8.count <= 1 << 20 else {
            throw ConfigurationFileError(source: source, problems: [.init(line: nil, path: "", message: "is larger than 1 MiB")])
        }
        let root: Node?
        do {
            root = try Yams.compose(yaml: text)
        } catch {
            throw ConfigurationFileError(source: source, problems: [.init(line: nil, path: "", message: "not valid YAML: \(error)")])
        }
        var node = ConfigurationNode(file: file, node: root, path: "")
        if root?.mapping == nil { file.report(root, "", "must be a mapping of keys to values") }
        let value = body(&node)
        node.finish()
        guard file.problems.isEmpty else { throw ConfigurationFileError(source: source, problems: file.problems) }
        return value
    }

    fileprivate func report(_ node: Node?, _ path: String, _ message: String) {
        problems.append(.init(line: node?.mark?.line, path: path, message: message))
    }
}

/// One mapping, sequence or scalar of a `ConfigurationFile`.
package struct ConfigurationNode {
    private let file: ConfigurationFile
    private let node: Node?
    package let path: String
    private var known: Set<String> = []

    fileprivate init(file: ConfigurationFile, node: Node?, path: String) {
        self.file = file
        self.node = node
        self.path = path
    }

    package var exists: Bool {
        guard let node else { return false }
        return node.null == nil || node.scalar?.string.isEmpty == false
    }
    package var isMapping: Bool { node?.mapping != nil }
    package var isSequence: Bool { node?.sequence != nil }
    /// The scalar as it was written.
    package var scalar: String? { node?.scalar?.string }
    package var keys: [String] { node?.mapping?.keys.compactMap(\.string) ?? [] }

    /// Reports a problem of this node.
    package func fail(_ message: String) { file.report(node, path, message) }

    /// The child under `key`, which becomes known.
    package mutating func child(_ key: String) -> ConfigurationNode {
        known.insert(key)
        return ConfigurationNode(file: file, node: node?.mapping?[Node(key)], path: path.isEmpty ? key : "\(path).\(key)")
    }

    /// Reads a mapping under `key`, if there is one; keys of it that `body` does not ask for are reported.
    package mutating func mapping<Value>(_ key: String, _ body: (inout ConfigurationNode) -> Value) -> Value? {
        var child = child(key)
        guard child.exists else { return nil }
        guard child.isMapping else {
            child.fail("must be a mapping of keys to values")
            return nil
        }
        let value = body(&child)
        child.finish()
        return value
    }

    /// The entries of a sequence under `key`; a single value counts as a sequence of one.
    package mutating func sequence(_ key: String) -> [ConfigurationNode] {
        let child = child(key)
        return child.exists ? child.elements : []
    }

    package var elements: [ConfigurationNode] {
        guard let sequence = node?.sequence else { return [self] }
        return sequence.enumerated().map { ConfigurationNode(file: file, node: $1, path: "\(path)[\($0)]") }
    }

    package mutating func string(_ key: String) -> String? {
        let child = child(key)
        guard child.exists else { return nil }
        guard let text = child.scalar else {
            child.fail("must be text")
            return nil
        }
        return text
    }

    /// Like `string`, and reports the key as missing where it is.
    package mutating func requiredString(_ key: String) -> String {
        if let value = string(key) { return value }
        if node?.mapping?[Node(key)] == nil { file.report(node, path, "misses the key '\(key)'") }
        return ""
    }

    package mutating func integer(_ key: String, in range: ClosedRange<Int>) -> Int? {
        guard let text = string(key) else { return nil }
        guard let value = Int(text), range.contains(value) else {
            child(key).fail("is '\(text)'; must be a whole number from \(range.lowerBound) to \(range.upperBound)")
            return nil
        }
        return value
    }

    package mutating func number(_ key: String, in range: ClosedRange<Double>) -> Double? {
        guard let text = string(key) else { return nil }
        guard let value = Double(text), range.contains(value) else {
            child(key).fail("is '\(text)'; must be a number from \(range.lowerBound) to \(range.upperBound)")
            return nil
        }
        return value
    }

    package mutating func boolean(_ key: String) -> Bool? {
        guard let text = string(key) else { return nil }
        switch text.lowercased() {
        case "true", "yes", "on": return true
        case "false", "no", "off": return false
        default:
            child(key).fail("is '\(text)'; must be true or false")
            return nil
        }
    }

    /// A value out of a fixed list.
    package mutating func choice<Choice: RawRepresentable & CaseIterable>(_ key: String, of type: Choice.Type) -> Choice?
    where Choice.RawValue == String {
        guard let text = string(key) else { return nil }
        if let value = Choice(rawValue: text) { return value }
        let all = Choice.allCases.map(\.rawValue)
        child(key).fail("is '\(text)'; must be one of \(all.joined(separator: ", "))" + suggestion(for: text, among: all))
        return nil
    }

    package mutating func strings(_ key: String) -> [String] {
        sequence(key).compactMap { entry in
            if let text = entry.scalar { return text }
            entry.fail("must be text")
            return nil
        }
    }

    /// All scalars of a free mapping under `key`.
    package mutating func texts(_ key: String) -> [String: String] {
        mapping(key) { node in
            var result: [String: String] = [:]
            for name in node.keys { result[name] = node.string(name) }
            return result
        } ?? [:]
    }

    /// Reports every key that was not asked for. Called for mappings read through `mapping`; call it for elements of a sequence.
    package func finish() {
        guard let mapping = node?.mapping else { return }
        for (key, _) in mapping {
            let name = key.string ?? "?"
            if known.contains(name) { continue }
            let all = known.sorted()
            file.report(
                key, path, "has the unknown key '\(name)'" + suggestion(for: name, among: all) + "; known: \(all.joined(separator: ", "))")
        }
    }
}

/// `; did you mean 'x'?` for the nearest of `candidates`, if one is near enough.
package func suggestion(for word: String, among candidates: [String]) -> String {
    let best = candidates.map { ($0, editDistance(word.lowercased(), $0.lowercased())) }.min { $0.1 < $1.1 }
    guard let (name, distance) = best, distance <= max(2, word.count / 3) else { return "" }
    return "; did you mean '\(name)'?"
}

/// Levenshtein distance.
private func editDistance(_ a: String, _ b: String) -> Int {
    let a = Array(a), b = Array(b)
    var row = Array(0...b.count)
    for i in a.indices {
        var diagonal = row[0]
        row[0] = i + 1
        for j in b.indices {
            let next = min(row[j] + 1, row[j + 1] + 1, diagonal + (a[i] == b[j] ? 0 : 1))
            diagonal = row[j + 1]
            row[j + 1] = next
        }
    }
    return row[b.count]
}

/// Reads the Prometheus text format 0.0.4 strictly, so that tests notice what a real scraper would refuse.
struct ExpositionParser {
    struct Sample: Equatable {
        var name: String
        var labels: [String: String]
        var value: Double
    }

    struct Malformed: Error, CustomStringConvertible {
        var line: String
        var description: String { "not an exposition line: \(line)" }
    }

    private(set) var types: [String: String] = [:]
    private(set) var help: [String: String] = [:]
    private(set) var samples: [Sample] = []

    init(_ text: String) throws {
        guard text.isEmpty || text.last == "\n" else { throw Malformed(line: "no newline at the end") }
        for line in text.split(separator: "\n") {
            if line.hasPrefix("# HELP ") || line.hasPrefix("# TYPE ") {
                try readComment(line)
            } else {
                samples.append(try Self.sample(line))
            }
        }
    }

    func value(_ name: String, _ labels: [String: String] = [:]) -> Double? {
        samples.first { $0.name == name && $0.labels == labels }?.value
    }

    private mutating func readComment(_ line: Substring) throws {
        let parts = line.split(separator: " ", maxSplits: 3, omittingEmptySubsequences: false)
        guard parts.count == 4 else { throw Malformed(line: String(line)) }
        let name = String(parts[2])
        if parts[1] == "TYPE" {
            guard types[name] == nil, ["counter", "gauge", "histogram"].contains(parts[3]) else {
                throw Malformed(line: String(line))
            }
            types[name] = String(parts[3])
        } else {
            help[name] = String(parts[3]).replacing("\\n", with: "\n").replacing("\\\\", with: "\\")
        }
    }

    private static func sample(_ line: Substring) throws -> Sample {
        var rest = line
        func malformed() -> Malformed { Malformed(line: String(line)) }
        let name = rest.prefix { $0 != "{" && $0 != " " }
        rest.removeFirst(name.count)
        var labels: [String: String] = [:]
        if rest.first == "{" {
            rest.removeFirst()
            while rest.first != "}" {
                let label = rest.prefix { $0 != "=" }
                rest.removeFirst(label.count)
                guard rest.hasPrefix("=\"") else { throw malformed() }
                rest.removeFirst(2)
                var value = ""
                while let character = rest.popFirst(), character != "\"" {
                    guard character == "\\" else {
                        value.append(character)
                        continue
                    }
                    switch rest.popFirst() {
                    case "n": value.append("\n")
                    case "\\": value.append("\\")
                    case "\"": value.append("\"")
                    default: throw malformed()
                    }
                }
                guard labels.updateValue(value, forKey: String(label)) == nil else { throw malformed() }
                if rest.first == "," { rest.removeFirst() }
            }
            rest.removeFirst()
        }
        guard rest.first == " " else { throw malformed() }
        let text = rest.dropFirst().replacing("+Inf", with: "inf").replacing("-Inf", with: "-inf")
        guard let value = Double(text.replacing("NaN", with: "nan")) else { throw malformed() }
        return Sample(name: String(name), labels: labels, value: value)
    }
}

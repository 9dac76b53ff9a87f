/// One metric name with its series, and how it is written down.
struct MetricFamily {
    /// What the name stands for.
    enum Kind: Equatable {
        case counter
        case gauge
        case histogram(bounds: [Double])

        fileprivate var typeName: String {
            switch self {
            case .counter: "counter"
            case .gauge: "gauge"
            case .histogram: "histogram"
            }
        }

        fileprivate func makeSeries() -> Series {
            switch self {
            case .counter: .counter(Counter())
            case .gauge: .gauge(Gauge())
            case .histogram(let bounds): .histogram(Histogram(bounds: bounds))
            }
        }
    }

    /// The handle of one label set.
    enum Series {
        case counter(Counter)
        case gauge(Gauge)
        case histogram(Histogram)

        var value: Double {
            switch self {
            case .counter(let counter): counter.value
            case .gauge(let gauge): gauge.value
            case .histogram(let histogram): Double(histogram.snapshot.count)
            }
        }
    }

    /// Why a caller did not get the series it asked for.
    enum Problem {
        case conflict
        case overflow
    }

    let name: String
    let help: String
    let kind: Kind
    /// By the escaped labels as they are written between the braces.
    var series: [String: Series] = [:]

    init(name: String, help: String, kind: Kind) {
        self.name = name
        self.help = help
        self.kind = kind
    }

    mutating func resolve(_ wanted: Kind, _ labels: [String: String], limit: Int) -> (Series?, Problem?) {
        guard wanted.typeName == kind.typeName else { return (nil, .conflict) }
        var key = Self.key(labels)
        if let known = series[key] { return (known, nil) }
        var problem: Problem?
        if !labels.isEmpty, series.count >= limit {
            problem = .overflow
            key = Self.key(labels.mapValues { _ in "other" })
            if let other = series[key] { return (other, problem) }
        }
        let made = kind.makeSeries()
        series[key] = made
        return (made, problem)
    }

    /// The labels as they are written, sorted by name: equal label sets give equal keys.
    static func key(_ labels: [String: String]) -> String {
        labels.sorted { $0.key < $1.key }.map { "\($0.key)=\"\(escape($0.value, quotes: true))\"" }.joined(
            separator: ",")
    }

    /// Whether Prometheus accepts `name`: `[a-zA-Z_:][a-zA-Z0-9_:]*`.
    static func isValid(name: String) -> Bool {
        isValid(label: name.replacing(":", with: "_"), reserved: [])
    }

    /// Whether Prometheus accepts `label`: `[a-zA-Z_][a-zA-Z0-9_]*`, and it is not one that a histogram writes itself.
    static func isValid(label: String) -> Bool {
        isValid(label: label, reserved: ["le"])
    }

    private static func isValid(label: String, reserved: Set<String>) -> Bool {
        guard let first = label.utf8.first, !isDigit(first), !reserved.contains(label) else { return false }
        return label.utf8.allSatisfy { isDigit($0) || isLetter($0) || $0 == UInt8(ascii: "_") }
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
    }
}

// MARK: - Text exposition

extension MetricFamily {
    func write(to text: inout String) {
        guard !series.isEmpty else { return }
        text += "# HELP \(name) \(Self.escape(help, quotes: false))\n# TYPE \(name) \(kind.typeName)\n"
        for (labels, series) in series.sorted(by: { $0.key < $1.key }) {
            switch series {
            case .counter, .gauge: line(name, labels, series.value, to: &text)
            case .histogram(let histogram): write(histogram.snapshot, labels, to: &text)
            }
        }
    }

    private func write(_ snapshot: Histogram.Snapshot, _ labels: String, to text: inout String) {
        let prefix = labels.isEmpty ? "" : labels + ","
        var cumulative: UInt64 = 0
        for (index, count) in snapshot.counts.enumerated() {
            cumulative += count
            let bound = index < snapshot.bounds.count ? Self.number(snapshot.bounds[index]) : "+Inf"
            line(name + "_bucket", "\(prefix)le=\"\(bound)\"", Double(cumulative), to: &text)
        }
        line(name + "_sum", labels, snapshot.sum, to: &text)
        line(name + "_count", labels, Double(cumulative), to: &text)
    }

    private func line(_ name: String, _ labels: String, _ value: Double, to text: inout String) {
        text += name
        if !labels.isEmpty { text += "{\(labels)}" }
        text += " \(Self.number(value))\n"
    }

    private static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value > 0 ? "+Inf" : "-Inf" }
        // Whole numbers read better without the fraction; 2^53 is where a Double stops telling them apart.
        if value.rounded() == value, value.magnitude < 9_007_199_254_740_992 { return "\(Int64(value))" }
        return "\(value)"
    }

    private static func escape(_ text: String, quotes: Bool) -> String {
        guard text.utf8.contains(where: { $0 == 0x5C || $0 == 0x0A || $0 == 0x22 }) else { return text }
        return text.unicodeScalars.reduce(into: "") { escaped, scalar in
            switch scalar {
            case "\\": escaped += "\\\\"
            case "\n": escaped += "\\n"
            case "\"" where quotes: escaped += "\\\""
            default: escaped.unicodeScalars.append(scalar)
            }
        }
    }
}

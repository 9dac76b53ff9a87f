import Resilience

/// Which faults happen when. The same seed gives the same schedule; one that was printed can be read again.
struct ChaosSchedule: Sendable, Hashable {
    /// In their order; each begins when the one before it is over, at the earliest.
    var faults: [ChaosFault]

    init(_ faults: [ChaosFault]) { self.faults = faults }

    /// One fault every so many milliseconds, a fifth earlier or later; all kinds come before one comes again.
    init(seed: UInt64, milliseconds: Int, every: Int, kinds: [ChaosFault.Kind], shape: ChaosShape) {
        var random = SeededRandom(seed: seed)
        var pile: [ChaosFault.Kind] = []
        faults = []
        for turn in 0..<max(0, (milliseconds - every / 2) / max(1, every)) where !kinds.isEmpty {
            if pile.isEmpty { pile = kinds.shuffled(using: &random) }
            let kind = pile.removeLast()
            let target = kind.targets(shape).randomElement(using: &random) ?? ""
            let jitter = Int.random(in: -every / 5...every / 5, using: &random)
            faults.append(
                ChaosFault(
                    at: turn * every + every / 2 + jitter, kind: kind, target: target,
                    holds: Int.random(in: kind.holds, using: &random),
                    amount: Int.random(in: kind.amounts, using: &random)))
        }
    }

    /// One worker after the other is killed.
    static func killWorkers(milliseconds: Int, every: Int, shape: ChaosShape) -> ChaosSchedule {
        ChaosSchedule(
            (0..<max(1, milliseconds / every)).map { turn in
                ChaosFault(
                    at: turn * every + every / 2, kind: .killWorker, target: "media-worker-\(turn % shape.workers + 1)",
                    holds: 1_000)
            })
    }

    /// The first worker is drained half-way.
    static func drain(milliseconds: Int) -> ChaosSchedule {
        ChaosSchedule([ChaosFault(at: milliseconds / 2, kind: .drainWorker, target: "media-worker-1", holds: 0)])
    }

    // MARK: Text

    /// A line for each fault: seconds, kind, target, milliseconds, amount.
    var text: String { faults.map(Self.line).joined(separator: "\n") }

    static func line(_ fault: ChaosFault) -> String {
        let seconds = "\(fault.at / 1_000).\(String(1_000 + fault.at % 1_000).dropFirst())"
        return "\(seconds) \(fault.kind.rawValue) \(fault.target) \(fault.holds) \(fault.amount)"
    }

    /// Reads what `text` wrote; empty lines and lines that begin with # are passed over.
    init(text: String) throws {
        faults = try text.split(separator: "\n").filter { !$0.hasPrefix("#") && !$0.allSatisfy(\.isWhitespace) }.map {
            line in
            let parts = line.split(separator: " ")
            guard parts.count == 5, let seconds = Double(parts[0]),
                let kind = ChaosFault.Kind(rawValue: String(parts[1])),
                let holds = Int(parts[3]), let amount = Int(parts[4])
            else { throw CommandError("'\(line)' is no fault; a line is SECONDS KIND TARGET HOLDS-MS AMOUNT") }
            return ChaosFault(
                at: Int((seconds * 1_000).rounded()), kind: kind, target: String(parts[2]), holds: holds, amount: amount
            )
        }
    }
}

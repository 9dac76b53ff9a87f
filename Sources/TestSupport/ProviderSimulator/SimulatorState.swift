import Synchronization

/// What all connections of a simulator share: the dice, the scripts, the faults and the counts.
final class SimulatorState: Sendable {
    private struct Shared {
        var random: SimulatorRandom
        var faults: FaultPlan
        var script: [ScriptedUtterance]
        var scripts: [String: [ScriptedUtterance]] = [:]
        /// How far each tag has come, so that a connection made again goes on where the last one stopped.
        var progress: [String: Int] = [:]
        var statistics = SimulatorStatistics()
        var toolCalls: [SimulatedToolCall] = []
    }

    /// Tags remembered; the benchmark's sessions of an hour fit.
    private static let maximumTags = 20_000
    /// Tool calls remembered; those after them are answered and forgotten.
    private static let maximumToolCalls = 100_000

    let configuration: SimulatorConfiguration
    private let shared: Mutex<Shared>

    init(_ configuration: SimulatorConfiguration) {
        self.configuration = configuration
        shared = Mutex(
            Shared(
                random: SimulatorRandom(state: configuration.seed), faults: configuration.faults,
                script: configuration.recognition.script))
    }

    func accepts(key: String?) -> Bool { key.map { configuration.keys.contains($0) } ?? false }

    func draw(_ latency: SimulatedLatency) -> Double { shared.withLock { latency.draw(using: &$0.random) } }

    func nextFault(_ vendor: SimulatedVendor) -> Fault {
        shared.withLock { shared in
            let fault = shared.faults.next(vendor, using: &shared.random)
            shared.statistics.requests[vendor.rawValue, default: 0] += 1
            if fault != .none { shared.statistics.faults[vendor.rawValue, default: 0] += 1 }
            return fault
        }
    }

    func append(faults: [Fault], for vendor: SimulatedVendor) {
        shared.withLock { $0.faults.script[vendor, default: []] += faults }
    }

    func set(chances: [FaultPlan.Chance], for vendor: SimulatedVendor) {
        shared.withLock { $0.faults.chances[vendor] = chances }
    }

    /// Without a tag: the script of every connection that has none of its own.
    func set(script: [ScriptedUtterance], tag: String?, append: Bool) {
        shared.withLock { shared in
            guard let tag else {
                shared.script = append ? shared.script + script : script
                return
            }
            if shared.scripts.count >= Self.maximumTags { shared.scripts.removeAll() }
            shared.scripts[tag] = append ? (shared.scripts[tag] ?? []) + script : script
            if !append { shared.progress[tag] = 0 }
        }
    }

    /// The next utterance of a tag; a script is said from the start again when it ends.
    func nextUtterance(tag: String) -> ScriptedUtterance {
        shared.withLock { shared in
            if shared.progress.count >= Self.maximumTags { shared.progress.removeAll() }
            let script = shared.scripts[tag] ?? shared.script
            let index = shared.progress[tag, default: 0]
            shared.progress[tag] = index + 1
            return script.isEmpty ? ScriptedUtterance("Yes.") : script[index % script.count]
        }
    }

    /// Notes a call and returns how often its key was seen before.
    func note(_ call: SimulatedToolCall) -> Int {
        shared.withLock { shared in
            let before = shared.toolCalls.count { $0.key == call.key && $0.name == call.name }
            if shared.toolCalls.count < Self.maximumToolCalls { shared.toolCalls.append(call) }
            return before
        }
    }
    var toolCalls: [SimulatedToolCall] { shared.withLock { $0.toolCalls } }

    func count(_ change: (inout SimulatorStatistics) -> Void) { shared.withLock { change(&$0.statistics) } }
    var statistics: SimulatorStatistics { shared.withLock { $0.statistics } }
}

/// What a simulator has served.
package struct SimulatorStatistics: Sendable, Hashable {
    /// Requests and connections by vendor, refused ones included.
    package var requests: [String: Int] = [:]
    /// Those that a fault was played on.
    package var faults: [String: Int] = [:]
    /// Connections open now, by vendor.
    package var open: [String: Int] = [:]
    /// The most ElevenLabs contexts that were ever open on one socket.
    package var mostContexts = 0
    /// The most recent Deepgram tag.
    package var lastTag = ""
    package var finals = 0
    package var interims = 0
    package var tokens = 0
    /// Seconds of audio heard and spoken.
    package var heardSeconds = 0.0
    package var spokenSeconds = 0.0
}

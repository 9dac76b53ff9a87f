import Audio
import CallerSimulator
import ClusterSupport
import Foundation
import LocalProviders
import NIOCore
import NIOPosix
import ProviderSimulator
import SpeechDetection
import WebSocket

/// A cluster, simulated providers and callers, to be measured.
final class Bench: Sendable {
    private let options: BenchOptions
    private let cluster: LocalCluster
    private let simulator: ProviderSimulator
    private let speeches: [String: CallerSpeech]
    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private let idleMemory: Int
    let description: String

    static func start(_ options: BenchOptions, _ load: BenchLoad) async throws -> Bench {
        try stayOn(core: options.otherCore)
        var speeches: [String: CallerSpeech] = [:]
        for text in load.utterances { speeches[text] = try CallerSpeech(text, voice: "rms") }
        var behaviour = SimulatorConfiguration()
        behaviour.recognition.script = load.utterances.map { text in
            ScriptedUtterance(text, speechMilliseconds: speeches[text].map { Int($0.duration.milliseconds) })
        }
        behaviour.language.answers = load.answers
        let simulator = try await ProviderSimulator.start(behaviour)
        var cluster = LocalCluster.Options()
        cluster.agents["bench.yaml"] = try agentText(options)
        cluster.environment = simulator.environment.merging(["PARLEY_LOG_LEVEL": options.logLevel]) { $1 }
        cluster.serviceEnvironment["media-worker"] = ["PARLEY_WORKER_CAPACITY": "10000"]
        cluster.cores = ["": options.otherCore, "media-worker": options.workerCore]
        do {
            let cluster = try await LocalCluster.start(cluster)
            return Bench(options, load, cluster, simulator, speeches)
        } catch {
            await simulator.stop()
            throw error
        }
    }

    private init(
        _ options: BenchOptions, _ load: BenchLoad, _ cluster: LocalCluster, _ simulator: ProviderSimulator, _ speeches: [String: CallerSpeech]
    ) {
        self.options = options
        self.cluster = cluster
        self.simulator = simulator
        self.speeches = speeches
        idleMemory = cluster.pid("media-worker-1").flatMap { ProcessUsage(pid: $0)?.residentBytes } ?? 0
        let spoken = load.utterances.map { text in
            String(format: "\"%@\" (%.1f s)", text, Double(speeches[text]?.duration.milliseconds ?? 0) / 1_000)
        }
        description = """
            worker on core \(options.workerCore), everything else on core \(options.otherCore)
            providers: interims every 100 ms, final 100 ms after speech end, first token 150 ms, then 10 ms a token, nine-word first sentence, \
            first byte 100 ms: a chain of 430 ms
            agent: \(options.agentFile ?? "built in, VAD profile quick, turn settings quick")
            utterances: \(spoken.isEmpty ? "none" : spoken.joined(separator: ", "))
            this machine now: \(Self.machineSpeed())

            """
    }

    func stop() async {
        await cluster.stop(logs: options.logs)
        await simulator.stop()
        try? await group.shutdownGracefully()
    }

    /// Holds `calls` conversations at once. CPU is counted from the moment all have begun until the first one ends.
    func run(_ load: BenchLoad, calls: Int) async throws -> BenchResult {
        let turns = load.kind == .setUps ? 1 : max(calls == 1 ? options.turns : 8, (options.turns + calls - 1) / calls)
        let before = await BenchMetrics.read(cluster)
        let firstEnd = Signal()
        let scenarios = (0..<calls).map { load.scenario(caller: $0, turns: turns) }
        let request = try CallTarget.request(url: cluster.url(), agent: "bench", token: LocalCluster.apiKey)
        async let usage = usage(afterMilliseconds: calls * load.stagger + 1_000, until: firstEnd)
        let reports = await withTaskGroup(of: CallReport.self) { group in
            for (index, scenario) in scenarios.enumerated() {
                group.addTask {
                    // Real callers do not arrive at the same moment.
                    try? await Task.sleep(for: .milliseconds(index * load.stagger))
                    let report = await self.call(request, scenario)
                    firstEnd.signal()
                    return report
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        let after = await BenchMetrics.read(cluster)
        return BenchResult(
            calls: calls, reports: reports, usage: load.kind == .setUps ? nil : await usage, idleMemory: idleMemory,
            metrics: after.difference(from: before))
    }

    private func usage(afterMilliseconds delay: Int, until end: Signal) async -> (begin: BenchSample, end: BenchSample) {
        try? await Task.sleep(for: .milliseconds(delay))
        let begin = BenchSample(cluster, options)
        await end.wait()
        return (begin, BenchSample(cluster, options))
    }

    private func call(_ request: WebSocketRequest, _ scenario: Scenario) async -> CallReport {
        var own: [Int: CallerSpeech] = [:]
        for (index, step) in scenario.steps.enumerated() {
            if case .say(let text) = step.action { own[index] = speeches[text] }
        }
        return await CallCommand.call(request, scenario, own, SimulatedCaller.Options(), on: group.next()).0
    }

    // MARK: Making

    /// Shared machines differ by more than the programs that are compared: one run of the VAD network says how fast this one is now.
    static func machineSpeed() -> String {
        let files = ModelFiles(environment: ProcessInfo.processInfo.environment)
        let window = (0..<SileroVAD.contextLength + SileroVAD.windowLength).map { Int16(truncatingIfNeeded: $0 * 7_919 % 4_001 - 2_000) }
        guard let runtime = try? OnnxRuntime(files: files), let model = try? SileroVAD(files: files, runtime: runtime),
            let stream = try? model.makeStream()
        else { return "the speech models are missing" }
        let costs = (0..<500).map { _ in
            let start = ContinuousClock.now
            _ = try? stream.probability(of: window.span)
            return Double(start.duration(to: .now).components.attoseconds) / 1e12
        }
        return String(format: "%.0f us for one window of the VAD (100 us where the peers were measured)", BenchFigures(costs).at(0.5))
    }

    private static func agentText(_ options: BenchOptions) throws -> String {
        guard let file = options.agentFile else { return BenchLoad.agent }
        guard let text = try? String(contentsOfFile: file, encoding: .utf8) else { throw CommandError("--agent-file '\(file)' cannot be read") }
        // Callers ask for the agent by this name.
        return text.split(separator: "\n", omittingEmptySubsequences: false)
            .map { $0.hasPrefix("agent:") ? "agent: bench" : String($0) }.joined(separator: "\n")
    }

    /// Moves this process to a core, with all threads that it has and will have.
    static func stayOn(core: Int) throws {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["taskset", "-acp", "\(core)", "\(ProcessInfo.processInfo.processIdentifier)"]
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw CommandError("this process cannot be moved to core \(core); --worker-core and --other-core must be cores of this machine")
        }
    }
}

/// Processor time and memory at one moment.
struct BenchSample: Sendable {
    let time = ContinuousClock.now
    let worker: ProcessUsage?
    /// Processor time of the worker's event loops, models and queues, without the threads of a client library, seconds.
    let ownSeconds: Double
    let dispatcher: ProcessUsage?
    let workerCore: CoreUsage?
    let otherCore: CoreUsage?

    init(_ cluster: LocalCluster, _ options: BenchOptions) {
        self.init(cluster, workerCore: options.workerCore, otherCore: options.otherCore)
    }

    init(_ cluster: LocalCluster, workerCore: Int, otherCore: Int) {
        let pid = cluster.pid("media-worker-1")
        worker = pid.flatMap { ProcessUsage(pid: $0) }
        ownSeconds = pid.map { ProcessUsage.cpuSeconds(pid: $0, ofThreads: Self.isOwn) } ?? 0
        dispatcher = cluster.pid("dispatcher-1").flatMap { ProcessUsage(pid: $0) }
        self.workerCore = CoreUsage(core: workerCore)
        self.otherCore = CoreUsage(core: otherCore)
    }

    /// NIO's event loops, Dispatch's queues, and threads that have the process's name because they were given none.
    private static func isOwn(_ thread: String) -> Bool {
        thread.hasPrefix("NIO-") || thread.contains("qos") || thread.hasPrefix("media-worker")
    }
}

/// Waits for the first of many signals.
private final class Signal: Sendable {
    private let stream = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingOldest(1))

    func signal() { stream.continuation.yield() }

    func wait() async {
        for await _ in stream.stream { return }
    }
}

import ArgumentParser
import Foundation

/// `parley bench`: measures a cluster of its own against simulated providers.
struct BenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench", abstract: "Measures latency, barge-in, density, set-up, session store and archiver on a cluster of its own.",
        discussion: """
            Starts redis-server, session-store, one media-worker and dispatcher from the folder of this executable, and simulated \
            providers with fixed delays; the worker alone on one core, everything else on another. Callers speak synthesised \
            sentences in real time. Needs two cores that nobody else uses: a run says when its numbers are void.
            'store' and 'archiver' need no callers: they write what conversations log. 'rooms' measures LiveKit rooms.
            """,
        subcommands: [
            BenchLatency.self, BenchBargeIn.self, BenchDensity.self, BenchSetup.self, BenchStore.self, BenchArchiver.self, BenchPlacement.self,
            BenchRooms.self,
        ])
}

/// What all measurements share.
struct BenchOptions: ParsableArguments {
    @Option(help: "Concurrent calls, several separated by commas: each is a run.") var calls: String?
    @Option(help: "Turns of each run at least; a p95 needs 60.") var turns = 60
    @Option(help: "The core of the media worker.") var workerCore = 0
    @Option(help: "The core of everything else, the callers included.") var otherCore = 1
    @Option(help: "An agent file to measure instead of the built-in one.") var agentFile: String?
    @Flag(help: "Print what each single turn took.") var verbose = false
    @Option(help: "Keep the services' logs in this folder.") var logs: String?
    @Option(help: "What the services log: debug, info, warning ...") var logLevel = "warning"

    func validate() throws {
        guard workerCore != otherCore else { throw ValidationError("--worker-core and --other-core must differ") }
        guard turns > 0 else { throw ValidationError("--turns must be at least 1") }
        _ = try counts(default: [])
    }

    func counts(default standard: [Int]) throws -> [Int] {
        guard let calls else { return standard }
        return try calls.split(separator: ",").map { part in
            guard let count = Int(part.trimmingCharacters(in: .whitespaces)), (1...2_000).contains(count) else {
                throw ValidationError("--calls has '\(part)'; it takes numbers from 1 to 2000 separated by commas")
            }
            return count
        }
    }

    /// Runs each count on one cluster, prints the table, and hands the results to `verdict`.
    func measure(_ load: BenchLoad, counts: [Int], report: ([BenchResult]) -> [String]) async throws {
        let bench = try await Bench.start(self, load)
        do {
            print(bench.description)
            print(BenchResult.header)
            var results: [BenchResult] = []
            for count in counts {
                let result = try await bench.run(load, calls: count)
                print(result.row)
                if verbose { print(result.details) }
                fflush(nil)
                results.append(result)
            }
            for result in results { print(result.parts) }
            for line in report(results) { print(line) }
            for problem in results.flatMap(\.problems) { print(problem) }
        } catch {
            await bench.stop()
            throw error
        }
        await bench.stop()
    }
}

/// From the caller's end of speech to the agent's first audio.
struct BenchLatency: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "latency", abstract: "From the end of the caller's speech to the first agent audio at the caller.")
    @OptionGroup var options: BenchOptions

    func run() async throws {
        try await options.measure(.questions, counts: options.counts(default: [1, 60])) { results in
            ["end of speech to first agent audio; target p50 < 450, p95 < 490 ms"]
                + results.map { "  \($0.calls) calls: p50 \($0.response.text(0.5)), p95 \($0.response.text(0.95)) ms" }
                + ["  peers on the same work: LiveKit Agents over a WebSocket 490/516 ms, Pipecat 732/743 ms"]
        }
    }
}

/// From the caller's first sample of an interruption until the agent is silent.
struct BenchBargeIn: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "barge-in", abstract: "From the first sample of an interruption until the last agent sample plays.")
    @OptionGroup var options: BenchOptions

    func run() async throws {
        try await options.measure(.interruptions, counts: options.counts(default: [1, 60])) { results in
            ["first sample of the interruption until the agent is silent at the caller; target p95 < 250 ms"]
                + results.map { "  \($0.calls) calls: p50 \($0.bargeIn.text(0.5)), p95 \($0.bargeIn.text(0.95)) ms (\($0.bargeIn.count))" }
                + ["  peers: 322-362 ms, counted to the last frame received"]
        }
    }
}

/// CPU and memory per call.
struct BenchDensity: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "density", abstract: "CPU and memory per call, and how latency holds with many calls on one core.")
    @OptionGroup var options: BenchOptions

    func run() async throws {
        try await options.measure(.questions, counts: options.counts(default: [1, 60, 100])) { results in
            let alone = results.first?.response.at(0.95) ?? 0
            return ["worker CPU per call minute; target < 0.6 s at 60 calls, < 0.45 s at 100; memory < 1.5 MB per call"]
                + results.map { result in
                    String(
                        format: "  %d calls: worker %.2f s, dispatcher %.2f s per call minute, %.2f MB per call, p95 %+.0f ms against %d",
                        result.calls, result.workerCPUPerCallMinute, result.dispatcherCPUPerCallMinute, result.megabytesPerCall,
                        result.response.at(0.95) - alone, results.first?.calls ?? 0)
                } + ["  peers: LiveKit Agents 1.1 s, 30-39 calls per core; Pipecat 2.8 s, 20-23 calls per core"]
        }
    }
}

/// From the open WebSocket to bot-ready.
struct BenchSetup: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "setup", abstract: "From the WebSocket upgrade to bot-ready, one call after another.")
    @OptionGroup var options: BenchOptions

    func run() async throws {
        try await options.measure(.setUps, counts: options.counts(default: [100])) { results in
            ["WebSocket upgrade to bot-ready; target p95 < 50 ms"]
                + results.map { "  \($0.calls) calls: p50 \($0.ready.text(0.5)), p95 \($0.ready.text(0.95)) ms; connecting \($0.connect.text(0.5)) ms" }
        }
    }
}

import ArgumentParser
import ClusterSupport
import Foundation

/// LiveKit rooms.
struct BenchRooms: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rooms", abstract: "Latency, barge-in, joins, density, takeover and leaks of LiveKit rooms.",
        discussion: """
            Needs a livekit-server on the PATH, and a Python that has LiveKit's client and numpy for the callers. The workers are on one \
            core, the server and everything else on another; the moments are those at the callers. Many callers need more than a core: \
            a run says when it is void.
            """)
    @OptionGroup var options: RoomsOptions

    func run() async throws {
        print(
            """
            worker on core \(options.workerCore), everything else on core \(options.otherCore)
            providers: a chain of 430 ms, as for 'bench latency'; agent: VAD profile quick, turn settings quick
            this machine now: \(Bench.machineSpeed())

            """)
        if !options.counts.isEmpty {
            try await converse(.questions)
            try await converse(.interruptions, counts: [1])
        }
        if options.joins > 0 { try await join() }
        if options.takeovers > 0 { try await handOver(options.takeovers, signal: SIGKILL) }
        if options.drains > 0 { try await handOver(options.drains, signal: SIGTERM) }
        if options.churn > 0 { try await churn() }
    }

    /// Each count of rooms is a run with a new cluster, so that the memory of one is not that of another.
    private func converse(_ load: BenchLoad, counts: [Int]? = nil) async throws {
        var alone: Double?
        for rooms in counts ?? options.counts {
            let bench = try await RoomsBench.start(options, load, frame: RoomsOptions.frame(rooms: rooms))
            let result = await bench.run(load, rooms: rooms, from: 0)
            await bench.stop()
            if rooms == 1 { alone = result.responses.at(0.95) }
            show(result.lines(alone: alone))
            if options.verbose { show(result.reports.map { "\($0)" }) }
        }
    }

    private func join() async throws {
        let bench = try await RoomsBench.start(options, .setUps)
        let reports = await bench.churn(options.joins, at: 1, from: 0) { _, _ in }
        await bench.stop()
        show(["\(options.joins) joins, one after another"] + Self.joinLines(reports))
    }

    private func handOver(_ count: Int, signal: Int32) async throws {
        let bench = try await RoomsBench.start(options, .interruptions, workers: 2)
        var handovers: [RoomHandover] = []
        var failures: [String] = []
        for caller in 0..<count {
            let (handover, failed) = await bench.handOver(caller, .interruptions, signal: signal)
            if let handover { handovers.append(handover) }
            failures += failed
        }
        await bench.stop()
        if options.verbose { show(handovers.map { "\($0)" }) }
        show(Self.handoverLines(handovers, killed: signal == SIGKILL) + failures.map { "  FAILED: \($0)" })
    }

    private func churn() async throws {
        let bench = try await RoomsBench.start(options, .setUps)
        show(["\(options.churn) joins and leaves, five rooms at once", RoomsFootprint.header])
        if let idle = await RoomsFootprint.read(bench.cluster, RoomsBench.workers[0]) { show([idle.row(joins: 0)]) }
        let reports = await bench.churn(options.churn, at: 5, from: 0) { joins, footprint in show([footprint.row(joins: joins)]) }
        await bench.stop()
        show(Self.joinLines(reports))
    }

    // MARK: Lines

    static func joinLines(_ reports: [RoomReport]) -> [String] {
        let failures = reports.flatMap(\.failures)
        return [
            RoomsMeasure("POST /v1/sessions to the agent's first audio", reports.compactMap(\.greeting), .p95(600)).line,
            RoomsMeasure("POST /v1/sessions to the agent in the room", reports.compactMap(\.arrival)).line,
        ] + Set(failures).sorted().prefix(5).map { problem in "  FAILED: \(problem) (\(failures.filter { $0 == problem }.count) times)" }
    }

    static func handoverLines(_ handovers: [RoomHandover], killed: Bool) -> [String] {
        let gaps = [
            RoomsMeasure("last frame of the old track to the first of the new", handovers.compactMap(\.gap), .p95(150)).line,
            RoomsMeasure("no agent in the room", handovers.compactMap(\.absence), .p95(150)).line,
        ]
        guard killed else { return ["\(handovers.count) workers drained between turns"] + gaps }
        return [
            "\(handovers.count) workers killed in the middle of a reply",
            RoomsMeasure("kill -9 to the successor's audio", handovers.compactMap(\.audible), .p95(1_500)).line,
        ]
    }

    private func show(_ lines: [String]) {
        for line in lines { print(line) }
        fflush(nil)
    }
}

/// What can be chosen.
struct RoomsOptions: ParsableArguments {
    @Option(help: "Rooms at once, several numbers separated by commas: each is a run; 0 for none.") var rooms = "1"
    @Option(help: "Turns of each run at least; a p95 needs 60.") var turns = 60
    @Option(help: "Joins that are measured, one after another.") var joins = 20
    @Option(help: "Workers that are killed in the middle of a reply.") var takeovers = 0
    @Option(help: "Workers that are told to end between two turns.") var drains = 0
    @Option(help: "Joins and leaves after which a worker must hold what it held before.") var churn = 0
    @Option(help: "The core of the media workers.") var workerCore = 0
    @Option(help: "The core of everything else, the callers included.") var otherCore = 1
    @Option(help: "A Python with the packages livekit and numpy.") var python =
        ProcessInfo.processInfo.environment["PARLEY_TEST_PYTHON"] ?? "python3"
    @Option(help: "The callers' program.") var callers = RoomsOptions.script
    @Flag(help: "Print what each conversation took.") var verbose = false
    @Option(help: "Keep the services' logs in this folder.") var logs: String?
    @Option(help: "What the services log: debug, info, warning ...") var logLevel = "warning"

    /// The numbers of rooms; none for "0".
    var counts: [Int] { rooms.split(separator: ",").compactMap { Int($0.trimmingCharacters(in: .whitespaces)) }.filter { $0 > 0 } }

    func validate() throws {
        guard workerCore != otherCore else { throw ValidationError("--worker-core and --other-core must differ") }
        guard turns > 0 else { throw ValidationError("--turns must be at least 1") }
        for part in rooms.split(separator: ",", omittingEmptySubsequences: false) {
            guard let count = Int(part.trimmingCharacters(in: .whitespaces)), (0...200).contains(count) else {
                throw ValidationError("--rooms has '\(part)'; it takes numbers from 0 to 200 separated by commas")
            }
        }
        for (name, value) in [("joins", joins), ("takeovers", takeovers), ("drains", drains), ("churn", churn)] {
            guard (0...10_000).contains(value) else { throw ValidationError("--\(name) takes 0 to 10000") }
        }
    }

    /// Milliseconds of the callers' frames: exact for a few, cheaper for many.
    static func frame(rooms: Int) -> Int { rooms <= 4 ? 10 : 20 }

    private static let script = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "../../../../Tests/python/livekit_callers.py").standardizedFileURL.path
}

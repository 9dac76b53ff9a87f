import ArgumentParser
import ClusterSupport
import Foundation

/// `parley chaos`: a cluster of its own, real conversations, faults, and what became of them.
struct ChaosCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "chaos", abstract: "Holds conversations while things break, and checks that nothing is lost.",
        discussion: """
            Starts dispatchers, media workers, session stores, archivers, Redis with a replica and PostgreSQL from the folder of this executable, \
            with simulated providers at the fixed delays of the benchmarks. Faults come from a schedule that the seed makes. In the end the record \
            in PostgreSQL is compared with what callers said and heard. The exit status is 1 when an invariant does not hold.

            Faults: \(ChaosFault.Kind.allCases.map(\.rawValue).joined(separator: ", ")).
            """)

    enum Plan: String, ExpressibleByArgument, CaseIterable, Sendable {
        /// What the seed says.
        case seeded
        case killWorkers = "kill-workers"
        case drain
        /// Nothing happens.
        case none
    }

    @Option(help: "What chance draws from.") var seed: UInt64 = 1
    @Option(help: "Conversations held at the same time.") var calls = 10
    @Option(help: "How long, such as 60s or 5m.") var duration = "60s"
    @Option(help: "The time between two faults, such as 10s.") var every = "10s"
    @Option(help: "Kinds of faults, separated by commas. Default: all that this machine can.") var faults: String?
    @Option(help: "seeded, kill-workers (one after the other), drain (the first worker, which has all calls), or none.")
    var plan = Plan.seeded
    @Option(help: "Share of the callers that can come back, 0 to 1.") var resumable = 0.8
    @Option(help: "Play the schedule in this file, as an earlier run printed it, instead.") var replay: String?
    @Option(help: "Keep the services' logs in this folder.") var logs: String?
    @Option(help: "What the services log: debug, info, warning ...") var logLevel = "info"

    func run() async throws {
        let clock = FakeClock()
        if clock == nil {
            print(
                """
                NOT TESTED: clock steps. This machine has no libfaketime (Debian's package libfaketime), and its clock is not ours \
                to set.
                """)
        }
        let options = ChaosOptions(
            seed: seed, calls: calls, milliseconds: try Self.milliseconds(duration, "--duration"),
            schedule: try schedule(clock),
            startsWithOneWorker: plan == .drain, resumableShare: resumable, clock: clock, logs: logs, logLevel: logLevel
        )
        print(
            "seed \(seed), \(calls) calls, \(duration); the schedule (seconds, fault, target, ms, amount):\n\(options.schedule.text)\n"
        )
        let report = try await Chaos.run(options) { line in
            print(line)
            // The run is followed as it goes, also through a pipe.
            fflush(nil)
        }
        print("\n" + report.text)
        if !report.hasPassed { throw ExitCode(1) }
    }

    func validate() throws {
        guard (1...2_000).contains(calls) else { throw ValidationError("--calls must be from 1 to 2000") }
        guard (0...1).contains(resumable) else { throw ValidationError("--resumable must be from 0 to 1") }
        guard try Self.milliseconds(duration, "--duration") >= 10_000 else {
            throw ValidationError("--duration must be at least 10s")
        }
        guard try Self.milliseconds(every, "--every") >= 1_000 else {
            throw ValidationError("--every must be at least 1s")
        }
        _ = try kinds(FakeClock())
    }

    private func schedule(_ clock: FakeClock?) throws -> ChaosSchedule {
        if let replay {
            guard let text = try? String(contentsOfFile: replay, encoding: .utf8) else {
                throw CommandError("--replay '\(replay)' cannot be read")
            }
            return try ChaosSchedule(text: text)
        }
        let (length, interval) = try (Self.milliseconds(duration, "--duration"), Self.milliseconds(every, "--every"))
        switch plan {
        case .seeded:
            return ChaosSchedule(
                seed: seed, milliseconds: length, every: interval, kinds: try kinds(clock), shape: ChaosShape())
        case .killWorkers: return .killWorkers(milliseconds: length, every: interval, shape: ChaosShape())
        case .drain: return .drain(milliseconds: length)
        case .none: return ChaosSchedule([])
        }
    }

    private func kinds(_ clock: FakeClock?) throws -> [ChaosFault.Kind] {
        guard let faults else { return ChaosFault.Kind.allCases.filter { $0 != .stepClock || clock != nil } }
        return try faults.split(separator: ",").map { name in
            guard let kind = ChaosFault.Kind(rawValue: name.trimmingCharacters(in: .whitespaces)) else {
                throw ValidationError(
                    "--faults has '\(name)'; it takes \(ChaosFault.Kind.allCases.map(\.rawValue).joined(separator: ", "))"
                )
            }
            return kind
        }
    }

    /// A number with s, m or h, or milliseconds with ms.
    static func milliseconds(_ text: String, _ option: String) throws -> Int {
        let units = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)]
        guard let (unit, factor) = units.first(where: { text.hasSuffix($0.0) }),
            let value = Double(text.dropLast(unit.count)), value > 0,
            value < 1e6
        else { throw ValidationError("\(option) is '\(text)'; it must be a time such as 60s or 5m") }
        return Int(value * Double(factor))
    }
}

import LiveKitDispatch
import LiveKitSimulator
import Logging
import NIOPosix
import Synchronization
import Telemetry
import Testing

/// Who has the sessions: says how much room there is, whether a job is wanted, and how its start goes.
final class FakeOwner: Sendable {
    struct State {
        /// Nil: no more jobs.
        var capacity: DispatchCapacity? = DispatchCapacity(free: 10, total: 10)
        var token: String?
        var answer: @Sendable (AgentJob) -> JobAnswer = { _ in .accept(AgentParticipant(name: "Anna")) }
        /// The next starts fail with these.
        var failures: [AgentStartError] = []
        /// Starts last until they are cancelled, and then succeed or not.
        var stalls = false
        var startsWhenCancelled = false
        var begun: [AgentAssignment] = []
        var ended: [AgentTermination] = []
        var asked: [AgentJob] = []
    }

    private let state = Mutex(State())

    func set(_ change: (inout sending State) -> Void) { state.withLock { change(&$0) } }
    var now: State { state.withLock { $0 } }

    func handlers(token: @escaping @Sendable () -> String) -> AgentDispatchHandlers {
        AgentDispatchHandlers(
            token: { self.now.token ?? token() },
            capacity: { self.now.capacity },
            offer: { job in
                self.state.withLock { $0.asked.append(job) }
                return self.now.answer(job)
            },
            begin: { assignment in
                let failure = self.state.withLock { state in
                    state.begun.append(assignment)
                    return state.failures.isEmpty ? nil : state.failures.removeFirst()
                }
                if let failure { throw failure }
                guard self.now.stalls else { return }
                // Until it is cancelled, as a start that no worker takes.
                try? await Task.sleep(for: .seconds(60))
                if !self.now.startsWhenCancelled { throw CancellationError() }
            },
            terminated: { termination in self.state.withLock { $0.ended.append(termination) } })
    }
}

/// A dispatcher's client at a simulated server. What tests wait for are events; no deadline of the protocol comes into play unless a test
/// shortens it.
struct DispatchRun: Sendable {
    let simulator: LiveKitAgentSimulator
    let client: AgentDispatchClient
    let owner: FakeOwner
    let metrics: MetricsRegistry
    let agentName: String
    let log: CapturedLog

    var server: AgentServer { simulator.server }

    static func run(
        agentName: String = "lead", _ settings: (inout AgentRegistrationSettings) -> Void = { _ in },
        server: (inout AgentServerConfiguration) -> Void = { _ in }, owner: FakeOwner = FakeOwner(),
        _ body: @escaping @Sendable (DispatchRun) async throws -> Void
    ) async throws {
        let simulator = try await LiveKitAgentSimulator.start(patient(server))
        let run = try make(agentName, settings, simulator: simulator, owner: owner)
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await run.client.run() }
                try await body(run)
                group.cancelAll()
            }
        } catch {
            await simulator.stop()
            throw error
        }
        await simulator.stop()
    }

    /// Not running yet.
    static func make(
        _ agentName: String, _ change: (inout AgentRegistrationSettings) -> Void = { _ in }, simulator: LiveKitAgentSimulator, owner: FakeOwner
    ) throws -> DispatchRun {
        var settings = AgentRegistrationSettings(agentName: agentName)
        settings.hold = .seconds(60)
        settings.answerWithin = .seconds(60)
        settings.assignWithin = .seconds(60)
        settings.startWithin = .seconds(60)
        settings.startRetry = .milliseconds(10)
        settings.updateEvery = .milliseconds(200)
        change(&settings)
        let metrics = MetricsRegistry()
        let log = CapturedLog()
        let client = try AgentDispatchClient(
            server: simulator.url, settings: settings, handlers: owner.handlers { simulator.workerToken() },
            on: MultiThreadedEventLoopGroup.singleton.next(), metrics: metrics, logger: log.logger)
        return DispatchRun(
            simulator: simulator, client: client, owner: owner, metrics: metrics, agentName: agentName, log: log)
    }

    static func patient(_ change: (inout AgentServerConfiguration) -> Void) -> AgentServerConfiguration {
        var configuration = AgentServerConfiguration()
        configuration.requestWithin = .seconds(60)
        configuration.answerWithin = .seconds(60)
        change(&configuration)
        return configuration
    }

    /// Waits for something at the server; fails the test when it does not come.
    @discardableResult
    func wait(_ what: Comment, _ isMet: @escaping @Sendable (AgentServerSnapshot) -> Bool) async throws -> AgentServerSnapshot {
        if let snapshot = await server.wait(until: isMet) { return snapshot }
        let snapshot = await server.snapshot
        return try #require(nil, "\(what): \(snapshot)")
    }

    @discardableResult
    func wait(for job: String, _ status: SimulatedJob.Status) async throws -> SimulatedJob {
        try #require(try await wait("job becomes \(status)") { $0.job(job)?.status == status }.job(job))
    }

    /// Registered, and the server knows the load.
    @discardableResult
    func ready() async throws -> SimulatedWorker {
        let name = agentName
        return try #require(
            try await wait("registered") { ($0.worker(named: name)?.updates ?? 0) > 0 }.worker(named: name))
    }

    /// Several status messages have come, so that all that was due has been done.
    func settle() async throws {
        let name = agentName
        let now = await server.snapshot.worker(named: name)?.updates ?? 0
        try await wait("status messages") { ($0.worker(named: name)?.updates ?? 0) >= now + 3 }
    }

    /// Looks again until it is so; the suite's time limit is the deadline.
    func lookAgain(until isSo: () -> Bool) async throws { while !isSo() { try await Task.sleep(for: .milliseconds(10)) } }

    func count(_ outcome: String) -> Double {
        metrics.value("parley_livekit_jobs_total", labels: ["agent": agentName, "outcome": outcome]) ?? 0
    }

    func expectNoViolations() async {
        let violations = await server.snapshot.violations
        #expect(violations.isEmpty, "\(violations)")
    }
}

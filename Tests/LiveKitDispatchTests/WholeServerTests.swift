import Cryptography
import LiveKitDispatch
import LiveKitProtocol
import LiveKitSimulator
import NIOPosix
import Telemetry
import Testing

/// The client at a simulated server that also has the API: what is asked for there becomes jobs here, and what becomes of them is shown there.
@Suite(.timeLimit(.minutes(2)))
struct WholeServerTests {
    private struct Run: Sendable {
        let server: LiveKitSimulator
        let api: LiveKitServerAPI
        let client: AgentDispatchClient
        let owner: FakeOwner

        @discardableResult
        func wait(_ what: Comment, _ isMet: @escaping @Sendable (AgentServerSnapshot) -> Bool) async throws -> AgentServerSnapshot {
            if let snapshot = await server.agents.wait(until: isMet) { return snapshot }
            let snapshot = await server.agents.snapshot
            return try #require(nil, "\(what): \(snapshot)")
        }

        /// The job that a dispatch has led to, when it runs.
        func running(_ dispatch: String? = nil, room: String? = nil) async throws -> SimulatedJob {
            let isIt = { @Sendable (job: SimulatedJob) in job.status == .running && job.dispatchID == dispatch ?? job.dispatchID && job.room == room ?? job.room }
            let snapshot = try await wait("a job runs") { $0.jobs.contains(where: isIt) }
            return try #require(snapshot.jobs.first(where: isIt))
        }
    }

    private func run(agentName: String = "lead", _ body: @escaping @Sendable (Run) async throws -> Void) async throws {
        let server = try await LiveKitSimulator.start(agents: DispatchRun.patient { _ in })
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let owner = FakeOwner()
        let (key, secret) = (LiveKitSimulator.apiKey, LiveKitSimulator.secret.revealed)
        var settings = AgentRegistrationSettings(agentName: agentName)
        settings.answerWithin = .seconds(60)
        let client = try AgentDispatchClient(
            server: server.credentials.url.webSocket, settings: settings,
            handlers: owner.handlers { AgentServerTokens.worker(key: key, secret: secret) }, on: loop, metrics: MetricsRegistry(),
            logger: CapturedLog().logger)
        let run = Run(server: server, api: LiveKitServerAPI(server.credentials, eventLoop: loop), client: client, owner: owner)
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await client.run() }
                try await run.wait("registered") { ($0.worker(named: agentName)?.updates ?? 0) > 0 }
                try await body(run)
                group.cancelAll()
            }
        } catch {
            await server.stop()
            throw error
        }
        await server.stop()
    }

    @Test func whatTheAPIAsksForBecomesAJob() async throws {
        try await run { run in
            let dispatch = try await run.api.createDispatch(.init(agentName: "lead", metadata: "{}", attributes: ["tier": "gold"]), room: "call-1")
            let job = try await run.running(dispatch.id)
            let assignment = try #require(run.owner.now.begun.first)
            #expect(assignment.job.metadata == "{}" && assignment.job.attributes == ["tier": "gold"])
            #expect(assignment.job.dispatchID == dispatch.id && assignment.job.room.sid == job.roomSID && job.roomSID.hasPrefix("RM_"))
            let shown = try #require(try await run.api.listDispatches("call-1", id: dispatch.id).first?.state.jobs.first)
            #expect(shown.id == job.id && shown.state.status == .jsRunning && shown.state.participantIdentity == "agent-\(job.id)")
            await run.client.jobEnded(job.id)
            try await run.wait("the end") { $0.job(job.id)?.status == .succeeded }
            #expect(try await run.api.listDispatches("call-1", id: dispatch.id).first?.state.jobs.map(\.state.status) == [.jsSuccess])
            #expect(await run.server.agents.snapshot.violations.isEmpty)
        }
    }

    @Test func aDispatchThatIsDeletedIsATermination() async throws {
        try await run { run in
            let dispatch = try await run.api.createDispatch(.init(agentName: "lead"), room: "call-1")
            let job = try await run.running(dispatch.id)
            _ = try await run.api.deleteDispatch(dispatch.id, room: "call-1")
            try await run.wait("terminated") { $0.job(job.id)?.isTerminated == true }
        }
    }

    @Test func anAgentThatLeavesIsATermination() async throws {
        try await run { run in
            let dispatch = try await run.api.createDispatch(.init(agentName: "lead"), room: "call-1")
            let job = try await run.running(dispatch.id)
            try run.server.join(try #require(run.owner.now.begun.first).token.revealed)
            try run.server.leave("agent-\(job.id)", room: "call-1")
            let ended = try await run.wait("terminated") { $0.job(job.id)?.isTerminated == true }
            #expect(ended.job(job.id)?.status == .failed)
        }
    }

    @Test func everyNewRoomGetsTheAgentWithoutAName() async throws {
        try await run(agentName: "") { run in
            _ = try await run.api.createRoom("call-1")
            #expect(try await run.running(room: "call-1").agentName.isEmpty)
            // Also a room that a dispatch by name has made; there is nobody of that name.
            let dispatch = try await run.api.createDispatch(.init(agentName: "lead"), room: "call-2")
            #expect(try await run.running(room: "call-2").agentName.isEmpty)
            try await run.wait("nobody for it") { $0.jobs.first { $0.dispatchID == dispatch.id }?.status == .noWorker }
            #expect(run.owner.now.begun.count == 2)
        }
    }
}

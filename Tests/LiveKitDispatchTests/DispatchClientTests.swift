import Cryptography
import LiveKitDispatch
import LiveKitSimulator
import Logging
import NIOPosix
import ServiceLifecycle
import Telemetry
import Testing
import WebSocket
import WireCoding

/// The client over real connections to a server that checks what it says.
@Suite(.timeLimit(.minutes(2)))
struct DispatchClientTests {
    @Test func itRegistersAndReportsItsLoad() async throws {
        try await DispatchRun.run {
            $0.version = "parley-test"
        } _: { run in
            run.owner.set { $0.capacity = DispatchCapacity(free: 5, total: 10) }
            let worker = try #require(
                try await run.wait("half full") { abs(($0.worker(named: "lead")?.load ?? 0) - 0.343) < 0.001 }.worker(named: "lead"))
            #expect(worker.version == "parley-test" && !worker.isFull)
            #expect(worker.permissions == SimulatedWorker.Permissions())
            #expect(await run.client.isRegistered)
            #expect(run.metrics.value("parley_livekit_registered", labels: ["agent": "lead"]) == 1)
            await run.expectNoViolations()
        }
    }

    @Test func aDispatchByNameBecomesASession() async throws {
        try await DispatchRun.run { run in
            try await run.ready()
            let id = await run.server.dispatch(agentName: "lead", room: "call-1", metadata: "{\"lead\": 7}", attributes: ["tier": "gold"])
            let job = try await run.wait(for: id, .running)
            let assignment = try #require(run.owner.now.begun.first)
            #expect(assignment.job.room.name == "call-1" && assignment.job.room.sid == job.roomSID)
            #expect(assignment.job.metadata == "{\"lead\": 7}" && assignment.job.attributes == ["tier": "gold"])
            #expect(assignment.job.dispatchID == job.dispatchID && assignment.job.agentName == "lead")
            #expect(assignment.url == run.simulator.url)
            let claims = try #require(
                AgentServerTokens.claims(of: assignment.token.revealed, secret: AgentServerConfiguration().secret))
            #expect(claims["sub"].string == "agent-\(id)" && claims["name"].string == "Anna" && claims["kind"].string == "agent")
            #expect(claims["video"]["room"].string == "call-1" && claims["video"]["agent"].bool == true)
            #expect(claims["attributes"][member: "lk.agent.name"].string == "lead")

            await run.client.jobEnded(id)
            try await run.wait(for: id, .succeeded)
            for outcome in ["offered", "accepted", "started"] { #expect(run.count(outcome) == 1, "\(outcome)") }
            for outcome in ["refused", "queued", "expired", "failed", "terminated"] { #expect(run.count(outcome) == 0, "\(outcome)") }
            await run.expectNoViolations()
        }
    }

    @Test func anAgentWithoutANameComesToEveryRoom() async throws {
        try await DispatchRun.run(agentName: "") { run in
            try await run.ready()
            let id = try #require(await run.server.createRoom("call-1"))
            try await run.wait(for: id, .running)
            #expect(run.owner.now.begun.map(\.job.room.name) == ["call-1"])
            await run.expectNoViolations()
        }
    }

    @Test func errorsOfSessionsAreReported() async throws {
        try await DispatchRun.run { run in
            try await run.ready()
            let id = await run.server.dispatch(agentName: "lead", room: "call-1")
            try await run.wait(for: id, .running)
            await run.client.jobEnded(id, error: "all language models have failed")
            #expect(try await run.wait(for: id, .failed).error == "all language models have failed")
            await run.expectNoViolations()
        }
    }

    @Test(arguments: [(false, SimulatedJob.Status.noWorker), (true, .declined)])
    func unwantedJobsAreRefused(isFinal: Bool, status: SimulatedJob.Status) async throws {
        let owner = FakeOwner()
        owner.set { $0.answer = { _ in .refuse(isFinal: isFinal) } }
        try await DispatchRun.run(owner: owner) { run in
            try await run.ready()
            let id = await run.server.dispatch(agentName: "lead", room: "call-1")
            try await run.wait(for: id, status)
            #expect(run.count("refused") == 1 && run.owner.now.begun.isEmpty)
            await run.expectNoViolations()
        }
    }

    // MARK: Room

    @Test func whoIsFullAndHasNoLineIsNotAsked() async throws {
        let owner = FakeOwner()
        owner.set { $0.capacity = DispatchCapacity(free: 0, total: 10) }
        try await DispatchRun.run({ $0.maximumPending = 0 }, owner: owner) { run in
            try await run.wait("full") { $0.worker(named: "lead")?.isFull == true }
            let id = await run.server.dispatch(agentName: "lead", room: "call-1")
            let job = try await run.wait(for: id, .noWorker)
            #expect(job.offeredTo.isEmpty)
            owner.set { $0.capacity = DispatchCapacity(free: 1, total: 10) }
            try await run.wait("room") { $0.worker(named: "lead")?.isFull == false }
        }
    }

    @Test func aJobWaitsForRoom() async throws {
        let owner = FakeOwner()
        owner.set { $0.capacity = DispatchCapacity(free: 0, total: 10) }
        try await DispatchRun.run(owner: owner) { run in
            try await run.ready()
            let id = await run.server.dispatch(agentName: "lead", room: "call-1")
            try await run.lookAgain { run.count("queued") > 0 }
            #expect(await run.server.snapshot.job(id)?.status == .offered)
            owner.set { $0.capacity = DispatchCapacity(free: 1, total: 10) }
            try await run.wait(for: id, .running)
            await run.expectNoViolations()
        }
    }

    @Test func whenTheWaitIsOverAnotherDispatcherIsAsked() async throws {
        let full = FakeOwner()
        full.set { $0.capacity = DispatchCapacity(free: 0, total: 10) }
        try await DispatchRun.run(
            {
                $0.hold = .milliseconds(1)
                $0.maximumOverbooked = 0
            }, owner: full
        ) { run in
            try await run.ready()
            let id = await run.server.dispatch(agentName: "lead", room: "call-1")
            try await run.wait(for: id, .noWorker)
            #expect(run.count("expired") == 1)

            let other = try DispatchRun.make("lead", simulator: run.simulator, owner: FakeOwner())
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await other.client.run() }
                try await run.wait("two workers") { $0.workers.count == 2 && $0.workers.allSatisfy { $0.updates > 0 } }
                let id = await run.server.dispatch(agentName: "lead", room: "call-2")
                try await run.wait(for: id, .running)
                #expect(other.owner.now.begun.count == 1)
                group.cancelAll()
            }
            await run.expectNoViolations()
        }
    }

    @Test func aJobThatWasAcceptedInHopeStartsWhenThereIsRoom() async throws {
        let owner = FakeOwner()
        owner.set {
            $0.capacity = DispatchCapacity(free: 0, total: 10)
            $0.failures = Array(repeating: AgentStartError("all media workers are full", isFinal: false), count: 3)
        }
        try await DispatchRun.run({ $0.hold = .milliseconds(1) }, owner: owner) { run in
            try await run.ready()
            let id = await run.server.dispatch(agentName: "lead", room: "call-1")
            try await run.wait(for: id, .running)
            #expect(run.owner.now.begun.count == 4)
            await run.expectNoViolations()
        }
    }

    @Test func aSessionThatCannotBeStartedFailsTheJob() async throws {
        let owner = FakeOwner()
        owner.set { $0.failures = [AgentStartError("there is no agent 'lead'", isFinal: true)] }
        try await DispatchRun.run(owner: owner) { run in
            try await run.ready()
            let id = await run.server.dispatch(agentName: "lead", room: "call-1")
            #expect(try await run.wait(for: id, .failed).error == "there is no agent 'lead'")
            #expect(run.count("failed") == 1 && run.owner.now.begun.count == 1)
        }
    }

    // MARK: Ends

    @Test func drainingTakesNoMoreJobs() async throws {
        try await DispatchRun.run { run in
            try await run.ready()
            await run.client.drain()
            try await run.wait("full") { $0.worker(named: "lead")?.isFull == true }
            let id = await run.server.dispatch(agentName: "lead", room: "call-1")
            try await run.wait(for: id, .noWorker)
        }
    }

    @Test func anOwnerWithoutAnyCapacityTakesNoMoreJobs() async throws {
        try await DispatchRun.run { run in
            try await run.ready()
            run.owner.set { $0.capacity = nil }
            try await run.wait("full") { $0.worker(named: "lead")?.isFull == true }
            let id = await run.server.dispatch(agentName: "lead", room: "call-1")
            try await run.wait(for: id, .noWorker)
        }
    }

    @Test func aSessionThatIsNotStartedInTimeSaysSo() async throws {
        let owner = FakeOwner()
        owner.set { $0.stalls = true }
        try await DispatchRun.run({ $0.startWithin = .milliseconds(50) }, owner: owner) { run in
            try await run.ready()
            let id = await run.server.dispatch(agentName: "lead", room: "call-1")
            #expect(try await run.wait(for: id, .failed).error.contains("no media worker has taken the session"))
        }
    }

    @Test func aSessionThatBeginsAsItsTimeEndsIsNotLost() async throws {
        let owner = FakeOwner()
        owner.set {
            $0.stalls = true
            $0.startsWhenCancelled = true
        }
        try await DispatchRun.run({ $0.startWithin = .milliseconds(50) }, owner: owner) { run in
            try await run.ready()
            let id = await run.server.dispatch(agentName: "lead", room: "call-1")
            try await run.wait(for: id, .running)
            #expect(run.count("started") == 1 && run.count("failed") == 0)
        }
    }

    @Test func aShutdownStartsWhatWasAcceptedAndLeaves() async throws {
        let simulator = try await LiveKitAgentSimulator.start(DispatchRun.patient { $0.holdsAssignments = true })
        let run = try DispatchRun.make("lead", simulator: simulator, owner: FakeOwner())
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let group = ServiceGroup(services: [run.client], logger: logger)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            try await run.ready()
            let id = await run.server.dispatch(agentName: "lead", room: "call-1")
            try await run.wait(for: id, .assigned)
            await group.triggerGracefulShutdown()
            try await run.wait("full") { $0.worker(named: "lead")?.isFull == true }
            await run.server.releaseAssignments()
            try await run.wait("gone") { $0.workers.isEmpty }
            try await tasks.waitForAll()
            #expect(run.owner.now.begun.count == 1)
            #expect(await run.server.snapshot.job(id)?.status == .running)
        }
        await run.expectNoViolations()
        await simulator.stop()
    }

    @Test func theOwnerIsToldWhenTheServerEndsAJob() async throws {
        try await DispatchRun.run { run in
            try await run.ready()
            let id = await run.server.dispatch(agentName: "lead", room: "call-1")
            try await run.wait(for: id, .running)
            await run.server.terminate(id, agentLeft: true)
            try await run.lookAgain { !run.owner.now.ended.isEmpty }
            let termination = try #require(run.owner.now.ended.first)
            #expect(termination.assignment.job.id == id && termination.assignment.participant.identity == "agent-\(id)")
            try await run.wait("one job") { $0.worker(named: "lead")?.jobCount == 1 }
            await run.client.jobEnded(id)
            try await run.wait("no job") { $0.worker(named: "lead")?.jobCount == 0 }
            await run.expectNoViolations()
        }
    }

    @Test func urlsOfServersAreChecked() throws {
        let simulatorless = FakeOwner().handlers { "" }
        for url in ["livekit", "ftp://livekit", "ws://livekit?x=1", "ws://"] {
            #expect(throws: WebSocketError.self) {
                _ = try AgentDispatchClient(
                    server: url, settings: AgentRegistrationSettings(agentName: ""), handlers: simulatorless,
                    on: MultiThreadedEventLoopGroup.singleton.next(), metrics: MetricsRegistry(), logger: Logger(label: "test"))
            }
        }
    }
}

import LiveKitDispatch
import LiveKitSimulator
import Telemetry
import Testing

/// Servers that restart, refuse, stay silent or talk nonsense.
@Suite(.timeLimit(.minutes(2)))
struct DispatchFaultTests {
    @Test func aServerThatRestartsFindsUsAgain() async throws {
        try await DispatchRun.run { run in
            try await run.ready()
            let id = await run.server.dispatch(agentName: "lead", room: "call-1")
            try await run.wait(for: id, .running)
            await run.simulator.goDown()
            try await run.simulator.comeBack()
            let worker = try #require(
                try await run.wait("back") { ($0.worker(named: "lead")?.updates ?? 0) > 0 }.worker(named: "lead"))
            #expect(worker.migrated == [id])
            #expect(run.metrics.value("parley_livekit_reconnects_total", labels: ["agent": "lead"]) == 1)
            // The session has gone on, and others begin.
            #expect(run.owner.now.ended.isEmpty)
            await run.client.jobEnded(id)
            let next = await run.server.dispatch(agentName: "lead", room: "call-2")
            try await run.wait(for: next, .running)
            await run.expectNoViolations()
        }
    }

    @Test func jobsThatAreNotAssignedAreLostWithTheConnection() async throws {
        let owner = FakeOwner()
        owner.set { $0.capacity = DispatchCapacity(free: 0, total: 10) }
        try await DispatchRun.run(owner: owner) { run in
            try await run.ready()
            let id = await run.server.dispatch(agentName: "lead", room: "call-1")
            try await run.settle()
            await run.server.drop()
            // The server has nobody else to ask.
            try await run.wait(for: id, .noWorker)
            try await run.wait("back") { $0.registrations == 2 && $0.workers.count == 1 }
            owner.set { $0.capacity = DispatchCapacity(free: 1, total: 10) }
            try await run.settle()
            #expect(run.owner.now.begun.isEmpty)
            await run.expectNoViolations()
        }
    }

    @Test func garbageEndsTheConnectionAndNothingElse() async throws {
        try await DispatchRun.run { run in
            try await run.ready()
            let id = await run.server.dispatch(agentName: "lead", room: "call-1")
            try await run.wait(for: id, .running)
            await run.server.sendGarbage()
            try await run.wait("back") { $0.registrations == 2 && $0.worker(named: "lead")?.migrated == [id] }
            await run.expectNoViolations()
        }
    }

    @Test(arguments: [AgentServerConfiguration.Greeting.silence, .pong])
    func aServerThatDoesNotAnswerTheRegistrationIsTriedAgain(greeting: AgentServerConfiguration.Greeting) async throws {
        try await DispatchRun.run {
            $0.registerWithin = .milliseconds(200)
        } server: {
            $0.greeting = greeting
        } _: { run in
            try await run.wait("a second connection") { $0.attempts >= 2 }
            #expect(await !run.client.isRegistered)
            await run.server.configure { $0.greeting = .registration }
            try await run.ready()
        }
    }

    @Test func aWrongSecretIsRefusedUntilItIsRight() async throws {
        let owner = FakeOwner()
        owner.set { $0.token = AgentServerTokens.worker(key: "devkey", secret: "wrong") }
        try await DispatchRun.run(owner: owner) { run in
            try await run.wait("refused") { $0.refusals >= 1 && $0.registrations == 0 }
            owner.set { $0.token = nil }
            try await run.ready()
            let log = run.log.text
            #expect(log.contains("401") && log.contains("LIVEKIT_API_SECRET") && log.contains("signature is invalid"), "\(log)")
            #expect(!log.contains("eyJ"), "\(log)")
        }
    }

    @Test(arguments: ["agent", "key", "expired"])
    func tokensAreChecked(what: String) async throws {
        let secret = AgentServerConfiguration().secret
        let owner = FakeOwner()
        owner.set {
            $0.token =
                switch what {
                case "agent": AgentServerTokens.worker(key: "devkey", secret: secret, isAgent: false)
                case "key": AgentServerTokens.worker(key: "other", secret: secret)
                default: AgentServerTokens.worker(key: "devkey", secret: secret, expiresIn: -120)
                }
        }
        try await DispatchRun.run(owner: owner) { run in
            try await run.wait("refused") { $0.refusals >= 1 }
            #expect(await run.server.snapshot.registrations == 0)
        }
    }

    @Test func aJobThatIsOfferedTwiceIsTakenOnce() async throws {
        try await DispatchRun.run { run in
            try await run.ready()
            let id = await run.server.dispatch(agentName: "lead", room: "call-1")
            try await run.wait(for: id, .running)
            await run.server.offerAgain(id)
            try await run.settle()
            #expect(run.owner.now.begun.count == 1 && run.count("refused") == 1)
            await run.expectNoViolations()
        }
    }

    @Test func anAssignmentThatComesTooLateFails() async throws {
        try await DispatchRun.run {
            $0.assignWithin = .zero
        } server: {
            $0.holdsAssignments = true
        } _: { run in
            try await run.ready()
            let id = await run.server.dispatch(agentName: "lead", room: "call-1")
            try await run.wait(for: id, .assigned)
            try await run.settle()
            #expect(run.count("expired") == 1)
            await run.server.releaseAssignments()
            #expect(try await run.wait(for: id, .failed).error.contains("accepted"))
            #expect(run.owner.now.begun.isEmpty)
            await run.expectNoViolations()
        }
    }

    @Test func anAssignmentThatNobodyAskedForFails() async throws {
        try await DispatchRun.run { run in
            try await run.ready()
            let id = try #require(await run.server.assignUnasked(agentName: "lead", room: "call-1"))
            try await run.wait(for: id, .failed)
            #expect(run.owner.now.begun.isEmpty)
        }
    }

    @Test func anAnswerThatIsTooLateForTheServerIsItsViolation() async throws {
        let owner = FakeOwner()
        owner.set { $0.capacity = DispatchCapacity(free: 0, total: 10) }
        try await DispatchRun.run(server: { $0.requestWithin = .milliseconds(1) }, owner: owner) { run in
            try await run.ready()
            let id = await run.server.dispatch(agentName: "lead", room: "call-1")
            try await run.wait(for: id, .timedOut)
            owner.set { $0.capacity = DispatchCapacity(free: 1, total: 10) }
            try await run.wait("a late answer") { $0.violations.count == 1 }
        }
    }
}

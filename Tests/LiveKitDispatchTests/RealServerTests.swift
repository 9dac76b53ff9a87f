import Cryptography
import LiveKitDispatch
import LiveKitSimulator
import Telemetry
import Testing
import WireCoding

/// The client at a real LiveKit server: `livekit-server` on the `PATH`, of which each test starts its own on the loopback interface.
@Suite(
    .enabled(if: LiveKitServerProcess.executable != nil, "livekit-server is not on the PATH: nothing is tested against a real LiveKit server"),
    .serialized, .timeLimit(.minutes(2)))
struct RealServerTests {
    @Test func aDispatchByNameBecomesASessionAndItsEndIsKnown() async throws {
        try await RealServer.run(agentName: "named") { server, owner in
            let dispatch = try await server.dispatch(metadata: "{\"lead\": 7}")
            try await server.eventually("started") { owner.now.begun.count == 1 && server.count("started") == 1 }
            let assignment = try #require(owner.now.begun.first)
            #expect(assignment.job.dispatchID == dispatch && assignment.job.room.name == server.room)
            #expect(assignment.job.metadata == "{\"lead\": 7}" && assignment.job.room.sid.hasPrefix("RM_"))
            #expect(assignment.participant.identity == "agent-\(assignment.job.id)")
            let claims = try #require(AgentServerTokens.claims(of: assignment.token.revealed, secret: server.secret))
            #expect(claims["sub"].string == assignment.participant.identity && claims["kind"].string == "agent")
            #expect(claims["attributes"][member: "lk.agent.name"].string == server.agentName)
            try await server.eventually("running") { try await server.jobStatus() == "JS_RUNNING" }
            // The server writes it into its log; its list of dispatches shows the job as running for ever.
            await server.client.jobEnded(assignment.job.id, error: "it was a test")
            #expect(await server.client.isRegistered)
        }
    }

    @Test func anAgentWithoutANameComesToANewRoom() async throws {
        try await RealServer.run(agentName: "") { server, owner in
            try await server.createRoom()
            try await server.eventually("started") { owner.now.begun.contains { $0.job.room.name == server.room } }
        }
    }

    /// The hold must end before the room's request does.
    @Test func aJobThatFoundNoRoomIsNotLost() async throws {
        let owner = FakeOwner()
        owner.set {
            $0.capacity = DispatchCapacity(free: 0, total: 10)
            $0.failures = Array(repeating: AgentStartError("all media workers are full", isFinal: false), count: 3)
        }
        try await RealServer.run(agentName: "full", owner: owner) { server, owner in
            _ = try await server.dispatch()
            try await server.eventually("started") { server.count("started") == 1 }
            #expect(server.count("queued") == 1 && owner.now.begun.count == 4)
        }
    }

    @Test func theEndOfADispatchIsATermination() async throws {
        try await RealServer.run(agentName: "ended") { server, owner in
            let dispatch = try await server.dispatch()
            try await server.eventually("started") { server.count("started") == 1 }
            try await server.call("DeleteDispatch", ["dispatch_id": dispatch, "room": server.room])
            try await server.eventually("terminated") { owner.now.ended.count == 1 }
            #expect(owner.now.ended.first?.assignment.job.id == owner.now.begun.first?.job.id)
        }
    }

    @Test func anotherSecretIsRefused() async throws {
        let owner = FakeOwner()
        owner.set { $0.token = AgentServerTokens.worker(key: LiveKitServerProcess.key, secret: "wrong") }
        try await RealServer.run(agentName: "refused", owner: owner, isWelcome: false) { server, owner in
            try await server.eventually("refused") { server.log.text.contains("401") }
            #expect(!server.log.text.contains("eyJ"), "\(server.log.text)")
            owner.set { $0.token = nil }
            try await server.registered()
        }
    }

    @Test func aServerThatWasKilledFindsUsAgain() async throws {
        try await RealServer.run(agentName: "restarted") { server, owner in
            _ = try await server.dispatch()
            try await server.eventually("started") { server.count("started") == 1 }
            server.process.kill()
            try await server.process.start()
            try await server.registered(times: 2)
            #expect(server.metrics.value("parley_livekit_reconnects_total", labels: ["agent": server.agentName]) == 1)
            #expect(owner.now.ended.isEmpty)
            // The room is gone with its server, and comes again with the next dispatch.
            _ = try await server.dispatch()
            try await server.eventually("started again") { server.count("started") == 2 }
        }
    }

    @Test func drainingTakesNoMoreJobs() async throws {
        try await RealServer.run(agentName: "drained") { server, owner in
            await server.client.drain()
            _ = try await server.dispatch()
            try await server.eventually("nobody was asked") { server.process.log.contains("no servers available") }
            #expect(owner.now.asked.isEmpty)
        }
    }
}

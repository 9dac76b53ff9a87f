import ClusterSupport
import Foundation
import LiveKitProtocol
import LiveKitSimulator
import SessionLog
import Testing

extension ClusterTests {
    /// Agents that a real LiveKit server dispatches into rooms where callers are.
    @Suite(.enabled(if: RoomBed.isAvailable, RoomBed.absence)) struct RoomDispatchTests {
        private static let sales = "sales=default/host"

        private struct Bed {
            let rooms: RoomBed
            let cluster: LocalCluster
            let callers: RoomCallers
            let api: LiveKitServerAPI

            /// The only session in a room.
            func session(in room: String) async throws -> String {
                var found: [String] = []
                try await eventually("a session in \(room)") {
                    found = (try? await sessions(in: room)) ?? []
                    return !found.isEmpty
                }
                try #require(found.count == 1)
                return found[0]
            }

            private func sessions(in room: String) async throws -> [String] {
                var found: [String] = []
                for session in try await SessionLogs.sessions(in: cluster) {
                    if try await SessionLogs.events(of: session, in: cluster).opened?.grant["room"] == room { found.append(session) }
                }
                return found
            }

            /// The server knows these dispatchers; without that nobody would be asked.
            func registered(_ dispatchers: String...) async throws {
                for dispatcher in dispatchers { try await one("parley_livekit_registered", at: dispatcher) }
            }

            /// Waits until a metric is 1.
            func one(_ metric: String, at dispatcher: String = "dispatcher-1") async throws {
                try await eventually("\(metric) is 1 at \(dispatcher)") {
                    let metrics = await LocalCluster.get(cluster.opsURL(dispatcher) + "/metrics")?.body ?? ""
                    return metrics.split(separator: "\n").contains { $0.hasPrefix(metric + "{") && $0.hasSuffix(" 1") }
                }
            }

            func dispatch(metadata: String = "", room: String) async throws -> LiveKitAgentDispatch {
                try await api.createDispatch(.init(agentName: "sales", metadata: metadata), room: room)
            }
        }

        private func run(
            _ agents: String = Self.sales, dispatchers: Int = 1, at server: RealLiveKitServer? = nil, _ body: (Bed) async throws -> Void
        ) async throws {
            let rooms = try await RoomBed.shared()
            try await rooms.withCluster(workers: 1, dispatchers: dispatchers, dispatching: agents, at: server) { cluster in
                let callers = try rooms.callers(at: server)
                defer { callers.stop() }
                let bed = Bed(
                    rooms: rooms, cluster: cluster, callers: callers, api: RoomBed.api(try server?.credentials ?? rooms.livekit.credentials))
                for number in 1...dispatchers { try await bed.registered("dispatcher-\(number)") }
                try await body(bed)
            }
        }

        @Test func aDispatchedAgentIsTalkedTo() async throws {
            try await run { bed in
                let room = RoomBed.room()
                try await bed.callers.join(room)
                let dispatch = try await bed.dispatch(metadata: #"{"company": "Northwind"}"#, room: room)
                try await bed.callers.finished(1)
                try bed.callers.tell("say", "caller", ["wav": bed.rooms.recording(0)])
                try await bed.callers.finished(2)
                let session = try await bed.session(in: room)
                let log = try await SessionLogs.events(of: session, in: bed.cluster, when: "an answer") { $0.heard.count == 2 }
                #expect(log.opened?.agent == "host" && log.opened?.parameters == ["company": "Northwind"])
                #expect(log.turns.map(\.text) == [Testbed.lines[0]])
                let job = try #require(try await bed.api.listDispatches(room, id: dispatch.id).first?.state.jobs.first)
                #expect(job.state.status == .jsRunning && job.state.participantIdentity == "agent-\(job.id)")
                #expect(bed.callers.events("participant").map(\.identity) == ["agent-\(job.id)"])
                _ = try await bed.api.deleteDispatch(dispatch.id, room: room)
                try await bed.callers.event("left")
                #expect(try await SessionLogs.whole(session, in: bed.cluster).closing?.detail.contains("the agent was removed") == true)
            }
        }

        @Test func anAgentWithoutANameComesToWhoeverJoins() async throws {
            try await run("=default/host") { bed in
                for name in ["first", "second"] {
                    let room = RoomBed.room()
                    try await bed.callers.join(room, name)
                    try await bed.callers.finished(1, name)
                    let log = try await SessionLogs.events(of: try await bed.session(in: room), in: bed.cluster)
                    #expect(log.opened?.agent == "host" && bed.callers.events("participant", name).count == 1)
                }
            }
        }

        @Test func aCallersTokenBringsItsAgent() async throws {
            try await run { bed in
                let room = RoomBed.room()
                try await bed.callers.join(room, "caller", identity: "caller", ["agent": "sales", "metadata": "a returning customer"])
                try await bed.callers.finished(1)
                let log = try await SessionLogs.events(of: try await bed.session(in: room), in: bed.cluster)
                #expect(log.opened?.parameters == ["metadata": "a returning customer"])
            }
        }

        @Test func aCallOutlivesTheDispatcherThatTookItsJob() async throws {
            try await run("sales=default/monologue", dispatchers: 2) { bed in
                let room = RoomBed.room()
                try await bed.callers.join(room)
                let dispatch = try await bed.dispatch(room: room)
                try await bed.callers.event("words") { $0.text?.contains("number 2") == true }
                let first = try #require(try await bed.api.listDispatches(room, id: dispatch.id).first?.state.jobs.first)
                // Whichever took it: one after the other ends, and the first is back by then.
                for dispatcher in ["dispatcher-1", "dispatcher-2"] {
                    bed.cluster.signal(dispatcher, SIGTERM)
                    #expect(await bed.cluster.waitForExit(dispatcher) == 0)
                    try bed.cluster.launch(dispatcher)
                    try await bed.cluster.waitUntilReady(dispatcher)
                }
                try await bed.registered("dispatcher-1", "dispatcher-2")
                try await bed.callers.finished(1)
                let log = try await SessionLogs.events(of: try await bed.session(in: room), in: bed.cluster, when: "the end of the speech") { $0.heard.count == 1 }
                #expect(log.heard.allSatisfy(\.complete) && log.owners.count == 1, "\(NormalLog(log))")
                #expect(bed.callers.events("participant").map(\.identity) == [first.state.participantIdentity] && bed.callers.events("left").isEmpty)
                // And jobs are taken.
                let next = RoomBed.room()
                try await bed.callers.join(next, "next")
                _ = try await bed.dispatch(room: next)
                try await bed.callers.event("words", "next") { $0.text?.contains("number 1") == true }
            }
        }

        @Test func everyRoomHasOneAgentOfTwoDispatchers() async throws {
            try await run(dispatchers: 2) { bed in
                let rooms = (0..<4).map { (name: "caller\($0)", room: RoomBed.room()) }
                for (name, room) in rooms {
                    try await bed.callers.join(room, name)
                    _ = try await bed.dispatch(room: room)
                }
                for (name, room) in rooms {
                    try await bed.callers.finished(1, name)
                    #expect(bed.callers.events("participant", name).count == 1 && bed.callers.events("left", name).isEmpty)
                    _ = try await bed.session(in: room)
                }
            }
        }

        @Test func aServerThatWasRestartedIsServedAgain() async throws {
            try #require(RealLiveKitServer.isAvailable, "only a server of the test's own can be restarted: \(RealLiveKitServer.absence)")
            let server = try await RealLiveKitServer.start()
            do {
                try await run(at: server) { bed in
                    let before = RoomBed.room()
                    try await bed.callers.join(before)
                    _ = try await bed.dispatch(room: before)
                    try await bed.callers.finished(1)
                    try await server.restart()
                    try await bed.one("parley_livekit_reconnects")
                    let after = RoomBed.room()
                    try await bed.callers.join(after, "after")
                    _ = try await bed.dispatch(room: after)
                    try await bed.callers.finished(1, "after")
                }
            } catch {
                await server.stop()
                throw error
            }
            await server.stop()
        }
    }
}

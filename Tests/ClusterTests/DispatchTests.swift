import ClusterSupport
import Foundation
import LiveKitDispatch
import LiveKitProtocol
import LiveKitSimulator
import SessionLog
import Telemetry
import Testing

extension ClusterTests {
    /// LiveKit's dispatch of agents: from what a server is asked for to a session on a worker, and back. Without media, at a simulated server.
    @Suite(.enabled(if: DispatchBed.isAvailable, DispatchBed.absence)) struct DispatchTests {
        /// A session in each of these rooms, which is all that a worker of capacity 2 carries.
        private static let capacityForOne = 2

        @Test func aDispatchByNameBecomesASession() async throws {
            try await DispatchBed.run { bed in
                let dispatch = try await bed.dispatch(metadata: #"{"company": "Northwind", "seats": 40}"#)
                let job = try await bed.job(dispatch)
                let session = try await bed.session(of: job)
                let opened = try #require(try await SessionLogs.events(of: session, in: bed.cluster).opened)
                #expect(opened.agent == "host" && opened.tenant == "default" && opened.backend == "livekit")
                #expect(opened.parameters == ["company": "Northwind"])
                #expect(opened.grant["room"] == dispatch.room && opened.grant["name"] == "host")
                #expect(job.participant.name == "host" && job.offeredTo.count == 1)
                try await bed.end(session)
                try await bed.job(dispatch, .succeeded)
                #expect(try await SessionLogs.whole(session, in: bed.cluster).closing?.detail.contains("ended by the API") == true)
                #expect(try await bed.sessions().count == 1)
                for outcome in ["offered", "accepted", "started"] { #expect(await bed.count(outcome) == 1, "\(outcome)") }
                await bed.expectNoViolations()
            }
        }

        @Test func everyNewRoomGetsTheAgentWithoutAName() async throws {
            try await DispatchBed.run("=default/host,sales=default/silent") { bed in
                try await bed.registered(2)
                let caller = LiveKitAccessToken(identity: "anna", video: .join("lobby"))
                try bed.server.join(caller.signed(by: bed.server.credentials, lifetime: .seconds(60), now: Timestamp.now()))
                let running = try await bed.wait("a job in the lobby") { $0.jobs.contains { $0.room == "lobby" && $0.status == .running } }
                let session = try await bed.session(of: try #require(running.jobs.first))
                #expect(try await SessionLogs.events(of: session, in: bed.cluster).opened?.agent == "host")
                // A room that is made for an agent with a name is a new room too.
                let dispatch = try await bed.dispatch(room: "office")
                try await bed.job(dispatch)
                let both = try await bed.wait("two in the office") { $0.jobs.count { $0.room == "office" && $0.status == .running } == 2 }
                #expect(Set(both.jobs.filter { $0.room == "office" }.map(\.participant.name)) == ["host", "silent"])
                await bed.expectNoViolations()
            }
        }

        @Test func aJobThatCannotBecomeASessionSaysWhy() async throws {
            try await DispatchBed.run("sales=default/nobody,hall=default/host") { bed in
                try await bed.registered(2)
                let unknown = try await bed.job(try await bed.dispatch(), .failed)
                #expect(unknown.error.contains("there is no agent 'nobody'"), "\(unknown.error)")
                let long = String(repeating: "x", count: 70_000)
                let refused = try await bed.job(try await bed.dispatch("hall", metadata: long), .failed)
                #expect(refused.error.contains("70000 bytes"), "\(refused.error)")
                #expect(try await bed.sessions().isEmpty)
            }
        }

        // MARK: No room

        @Test func aJobWaitsUntilThereIsRoom() async throws {
            try await DispatchBed.run(capacity: Self.capacityForOne) { bed in
                let first = try await bed.session(of: try await bed.job(try await bed.dispatch()))
                // That one may have waited too, for the dispatcher's first look at the workers.
                let before = await bed.count("queued")
                let waiting = try await bed.dispatch()
                try await eventually("a job waits") { await bed.count("queued") == before + 1 }
                #expect(try await bed.sessions().count == 1)
                try await bed.end(first)
                _ = try await bed.session(of: try await bed.job(waiting))
                await bed.expectNoViolations()
            }
        }

        @Test func aJobWaitsOnlySoLong() async throws {
            try await DispatchBed.run(capacity: Self.capacityForOne) { bed in
                try await bed.job(try await bed.dispatch())
                let job = try await bed.job(try await bed.dispatch(), .failed)
                #expect(job.error.contains("full"), "\(job.error)")
                #expect(await bed.count("failed") == 1)
                #expect(try await bed.sessions().count == 1)
                await bed.expectNoViolations()
            }
        }

        @Test func aDispatchThatIsTakenBackMeanwhileLeavesNoSession() async throws {
            try await DispatchBed.run(capacity: Self.capacityForOne) { bed in
                let first = try await bed.session(of: try await bed.job(try await bed.dispatch()))
                let waiting = try await bed.dispatch()
                let job = try await bed.job(waiting, .assigned)
                try await bed.delete(waiting)
                try await bed.end(first)
                let log = try await SessionLogs.whole(try await bed.session(of: job), in: bed.cluster)
                #expect(log.closing?.detail.contains("taken the dispatch back") == true, "\(NormalLog(log))")
                await bed.expectNoViolations()
            }
        }

        // MARK: Dispatchers and servers that end

        @Test func aDrainedDispatcherTakesNoMoreJobs() async throws {
            try await DispatchBed.run(dispatchers: 2) { bed in
                let session = try await bed.session(of: try await bed.job(try await bed.dispatch()))
                // It stays as long as it has a caller.
                let caller = WireCaller(try Testbed.webSocketURL(bed.cluster, "agent=host"), key: LocalCluster.apiKey)
                try await caller.opened()
                caller.ready()
                try await caller.message("bot-ready")
                bed.cluster.signal("dispatcher-1", SIGTERM)
                let drained = try await bed.wait("one takes no more") { $0.workers.count { $0.isFull } == 1 && $0.workers.count == 2 }
                let leaving = try #require(drained.workers.first { $0.isFull }).id
                for _ in 0..<3 {
                    let job = try await bed.job(try await bed.dispatch())
                    #expect(job.worker != leaving && !job.offeredTo.contains(leaving))
                }
                caller.close()
                #expect(await bed.cluster.waitForExit("dispatcher-1") == 0)
                try await bed.wait("it is gone") { $0.workers.count == 1 }
                let log = try await SessionLogs.events(of: session, in: bed.cluster)
                #expect(log.owners.count == 1 && log.closing == nil, "\(NormalLog(log))")
                await bed.expectNoViolations()
            }
        }

        @Test func aDispatcherEndsWhenItsLastJobHasBegun() async throws {
            try await DispatchBed.run(capacity: Self.capacityForOne) { bed in
                try await bed.job(try await bed.dispatch())
                let waiting = try await bed.dispatch()
                try await bed.job(waiting, .assigned)
                bed.cluster.signal("dispatcher-1", SIGTERM)
                try await bed.wait("no more jobs") { $0.workers.allSatisfy(\.isFull) }
                try bed.cluster.launch("media-worker-2")
                let session = try await bed.session(of: try await bed.job(waiting))
                #expect(await bed.cluster.waitForExit("dispatcher-1") == 0)
                let log = try await SessionLogs.events(of: session, in: bed.cluster)
                #expect(log.owners == ["media-worker-2"] && log.closing == nil, "\(NormalLog(log))")
                await bed.expectNoViolations()
                bed.cluster.signal("media-worker-2", SIGKILL)
            }
        }

        @Test func aServerThatComesBackIsServedAgain() async throws {
            try await DispatchBed.run { bed in
                let session = try await bed.session(of: try await bed.job(try await bed.dispatch()))
                try await bed.restartServer()
                try await bed.registered(1)
                #expect(try await SessionLogs.events(of: session, in: bed.cluster).closing == nil)
                _ = try await bed.session(of: try await bed.job(try await bed.dispatch()))
                try await eventually("the reconnect is counted") {
                    let metrics = await LocalCluster.get(bed.cluster.opsURL("dispatcher-1") + "/metrics")?.body ?? ""
                    return metrics.contains("parley_livekit_reconnects{agent=\"sales\"} 1")
                }
            }
        }

        @Test func everyJobOfTwoDispatchersIsOneSession() async throws {
            try await DispatchBed.run(workers: 2, dispatchers: 2) { bed in
                var jobs: [SimulatedJob] = []
                let dispatches = try await withThrowingTaskGroup(of: LiveKitAgentDispatch.self) { group in
                    for _ in 0..<8 { group.addTask { try await bed.dispatch() } }
                    return try await group.reduce(into: []) { $0.append($1) }
                }
                for dispatch in dispatches { jobs.append(try await bed.job(dispatch)) }
                bed.cluster.signal("dispatcher-1", SIGKILL)
                try await bed.wait("one is gone") { $0.workers.count == 1 }
                for _ in 0..<2 { jobs.append(try await bed.job(try await bed.dispatch())) }
                for job in jobs { _ = try await bed.session(of: job) }
                let sessions = try await bed.sessions()
                #expect(sessions.count == 10 && Set(sessions.values).count == 10)
                #expect(try await SessionLogs.sessions(in: bed.cluster).count == 10)
                for session in sessions.values {
                    #expect(try await SessionLogs.events(of: session, in: bed.cluster).closing == nil)
                }
                await bed.expectNoViolations()
            }
        }
    }
}

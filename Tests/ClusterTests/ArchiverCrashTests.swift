import CallerSimulator
import ClusterSupport
import Foundation
import NIOCore
import Synchronization
import TestDatabases
import Testing
import WebSocket

extension ClusterTests {
    @Suite(.enabled(if: TestPostgres.isAvailable, "set PARLEY_TEST_POSTGRES_URL"))
    struct ArchiverCrashTests {
        /// Killed without warning and started again, over and over, at moments that nobody has chosen.
        @Test func everyTurnIsInPostgreSQLOnceAlthoughArchiversDie() async throws {
            let bed = try await Testbed.shared()
            try await Database.with(agents: ["lead-qualification": try Testbed.leadQualification()]) { database in
                var options = try Testbed.options(bed.simulator)
                options.postgresURL = try database.url()
                options.archivers = 1
                // What a dead archiver had read and not committed is taken over by the next one.
                options.serviceEnvironment = ["archiver": ["PARLEY_ARCHIVER_CLAIM_AFTER": "1s"]]
                let cluster = try await LocalCluster.start(options)
                do {
                    try await callWhileArchiversDie(cluster, database)
                } catch {
                    await cluster.stop()
                    throw error
                }
                await cluster.stop()
            }
        }

        private func callWhileArchiversDie(_ cluster: LocalCluster, _ database: Database) async throws {
            let isOver = Mutex(false)
            // Three at least, and as many as the call has time for.
            async let deaths: Void = killArchivers(of: cluster) { deaths in deaths >= 3 && isOver.withLock { $0 } }
            let request = WebSocketRequest(
                try Testbed.webSocketURL(cluster, "agent=lead-qualification"),
                headers: [("Authorization", "Bearer \(database.key)")],
                connectDeadline: .seconds(20))
            let report = try await Testbed.call(request, lines: Testbed.lines.count)
            isOver.withLock { $0 = true }
            try await deaths
            #expect(report.failures.isEmpty, "\(report)")

            // What a dead archiver had read comes after what its successor has read, so the end may be there before the middle.
            try await database.closedConversations(1)
            try await eventually("a log without gaps, from its beginning") {
                (try? await database.rows("SELECT count(*) = max(sequence) FROM parley.events")) == ["t"]
            }
            let user = report.exchanges.map { $0.heard.trimmingCharacters(in: .whitespaces) }
            #expect(
                try await database.rows("SELECT text FROM parley.turns WHERE role = 'user' ORDER BY fence, sequence")
                    == user)
            // A sentence is in the log before it is heard, and the caller is told of each as it is spoken.
            let agent = report.lines.filter { $0.speaker == .agent }.map(\.text).joined(separator: " ")
            let archived = try await database.rows(
                "SELECT text FROM parley.turns WHERE role = 'agent' ORDER BY fence, sequence")
            #expect(archived.joined(separator: " ") == agent)
            #expect(archived.count == user.count + 1)
            #expect(
                try await database.rows("SELECT user_turns, agent_turns FROM parley.conversations") == [
                    "\(user.count)|\(user.count + 1)"
                ])
            let leads = try await database.rows("SELECT slot FROM parley.lead_records ORDER BY 1")
            #expect(leads == ["budget", "company", "name", "need", "timeline"])
            #expect(
                try await database.rows("SELECT value FROM parley.lead_records WHERE slot = 'name'") == ["Anna Schmidt"]
            )
        }

        private func killArchivers(of cluster: LocalCluster, until isEnough: @Sendable (_ deaths: Int) -> Bool) async throws {
            var deaths = 0
            while !isEnough(deaths) {
                cluster.signal("archiver-1", SIGKILL)
                _ = await cluster.waitForExit("archiver-1")
                deaths += 1
                try cluster.launch("archiver-1")
                try await cluster.waitUntilReady("archiver-1")
            }
        }
    }
}

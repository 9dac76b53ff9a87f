import ClusterSupport
import Foundation
import NIOCore
import NIOPosix
import PipecatBackend
import TestDatabases
import Testing
import WebSocket

extension ClusterTests {
    /// Services that start when something they need is not there: they say what and go on, or end with a message.
    @Suite struct StartTests {
        @Test func servicesWaitForRedisAndTakeCallsWhenItComes() async throws {
            let bed = try await Testbed.shared()
            let cluster = try LocalCluster.prepare(try Testbed.options(bed.simulator))
            do {
                for name in cluster.serviceNames { try cluster.launch(name) }
                for name in cluster.serviceNames {
                    try await eventually("\(name) says what it misses; \(cluster.log(name).suffix(2_000))") {
                        await LocalCluster.get(cluster.opsURL(name) + "/readyz")?.body.contains("redis") == true
                    }
                    try await eventually("\(name) waits") { await LocalCluster.get(cluster.opsURL(name) + "/readyz")?.status == 503 }
                    try await eventually("\(name) lives") { await LocalCluster.get(cluster.opsURL(name) + "/healthz")?.status == 200 }
                    try await eventually("\(name) logs what it misses; \(cluster.log(name).suffix(2_000))") {
                        cluster.log(name).contains("no connection to Redis; trying again")
                    }
                }
                let body = #"{"agent": "lead-qualification"}"#
                let refused = try await API.connect(at: cluster.url(), body: body, key: LocalCluster.apiKey)
                #expect(
                    refused.status == 503 && refused.body.contains("unavailable") && refused.retryAfter != nil,
                    "\(refused)")
                let early = try caller(of: cluster)
                #expect(try await early.closure().code == .tryAgainLater)
                #expect(early.all("error").first?.text.contains("try again") == true)

                try cluster.launch("redis")
                for name in cluster.serviceNames { try await cluster.waitUntilReady(name) }
                let late = try caller(of: cluster)
                try await late.opened()
                late.ready()
                try await late.message("bot-ready")
                late.close()
            } catch {
                await cluster.stop()
                throw error
            }
            await cluster.stop()
        }

        private func caller(of cluster: LocalCluster, key: String = LocalCluster.apiKey) throws -> WireCaller {
            WireCaller(try Testbed.webSocketURL(cluster, "agent=lead-qualification"), key: key)
        }

        @Test func aWorkerWithoutItsModelsEndsAndSaysHowToGetThem() async throws {
            var options = LocalCluster.Options()
            options.serviceEnvironment = ["media-worker": ["PARLEY_MODELS_DIR": "/nowhere/models"]]
            let cluster = try LocalCluster.prepare(options)
            try cluster.launch("media-worker-1")
            let status = await cluster.waitForExit("media-worker-1")
            let log = cluster.log("media-worker-1")
            await cluster.stop()
            #expect(status == 78, "the configuration is wrong, starting again does not help: exit code of sysexits(3)")
            #expect(log.contains("/nowhere/models/") && log.contains("./deploy/fetch-models"), "\(log)")
        }

        @Test func aMisspeltKeyInAnAgentFileIsNamedWithItsLine() async throws {
            let folder = FileManager.default.temporaryDirectory.appending(path: "parley-agents-\(UUID().uuidString)")
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(at: folder) }
            let good = try Testbed.leadQualification()
            let line =
                try #require(
                    good.split(separator: "\n", omittingEmptySubsequences: false).firstIndex {
                        $0.hasPrefix("greeting:")
                    }) + 1
            try good.replacingOccurrences(of: "greeting:", with: "greting:")
                .write(to: folder.appending(path: "bad.yaml"), atomically: true, encoding: .utf8)
            let bad = try await Command.run(Command.own("parley"), ["agents", "check", folder.path])
            #expect(bad.status != 0)
            for word in ["bad.yaml: line \(line)", "'greting'", "greeting"] {
                #expect(bad.output.contains(word), "\(bad.output)")
            }
            let checked = try await Command.run(
                Command.own("parley"), ["agents", "check", TestPostgres.repository + "/agents"])
            #expect(checked.status == 0 && checked.output.contains("lead-qualification"), "\(checked.output)")
        }

        @Test(.enabled(if: TestPostgres.isAvailable, "set PARLEY_TEST_POSTGRES_URL"))
        func dispatcherAndArchiverWaitForPostgreSQL() async throws {
            let bed = try await Testbed.shared()
            try await Database.with(agents: ["lead-qualification": try Testbed.leadQualification()]) { database in
                let port = try LocalCluster.freePort()
                var options = try Testbed.options(bed.simulator)
                options.postgresURL = try database.url(port: port)
                options.archivers = 1
                let cluster = try LocalCluster.prepare(options)
                do {
                    try cluster.launch("redis")
                    for name in cluster.serviceNames { try cluster.launch(name) }
                    for (name, fault) in [("archiver-1", "postgresql"), ("dispatcher-1", "directory")] {
                        try await eventually("\(name) says what it misses; \(cluster.log(name).suffix(2_000))") {
                            await LocalCluster.get(cluster.opsURL(name) + "/readyz")?.body.contains(fault) == true
                        }
                    }
                    let early = try caller(of: cluster, key: database.key)
                    #expect(
                        try await early.closure().code == .tryAgainLater, "nobody can know yet whether the key is good")
                    #expect(early.all("error").first?.text.contains("PostgreSQL") == true, "\(early.state.told)")

                    let forwarder = try await Forwarder.start(port: port, to: try database.port)
                    for name in cluster.serviceNames { try await cluster.waitUntilReady(name) }
                    let late = try caller(of: cluster, key: database.key)
                    try await late.opened()
                    late.ready()
                    try await late.message("bot-ready")
                    late.close()
                    try await database.closedConversations(1)
                    try await forwarder.close()
                } catch {
                    await cluster.stop()
                    throw error
                }
                await cluster.stop()
            }
        }
    }
}

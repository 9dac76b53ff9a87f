import ClusterSupport
import Foundation
import ProviderSimulator
import Testing

extension ClusterTests {
    /// Processes end and a call goes on. What exactly is kept is `parley chaos`'s business.
    @Suite struct TakeoverTests {
        private static let workers = ["media-worker-1", "media-worker-2"]

        /// A cluster of two workers for one test.
        private func withCluster(_ body: (LocalCluster) async throws -> Void) async throws {
            let bed = try await Testbed.shared()
            var options = try Testbed.options(bed.simulator)
            options.workers = 2
            let cluster = try await LocalCluster.start(options)
            do { try await body(cluster) } catch {
                await cluster.stop()
                throw error
            }
            await cluster.stop()
        }

        private func listener(_ cluster: LocalCluster) async throws -> WireCaller {
            let caller = WireCaller(try Testbed.webSocketURL(cluster, "agent=monologue"), key: LocalCluster.apiKey)
            try await caller.opened()
            caller.ready()
            caller.keepListening()
            try await caller.message("bot-started-speaking")
            return caller
        }

        /// The worker that has the one call.
        private func carrier(_ cluster: LocalCluster) async throws -> String {
            var found: String?
            try await eventually("a worker has the call") {
                for worker in Self.workers {
                    let metrics = await LocalCluster.get(cluster.opsURL(worker) + "/metrics")?.body ?? ""
                    if metrics.contains("\nparley_worker_sessions 1") { found = worker }
                }
                return found != nil
            }
            return try #require(found)
        }

        /// The greeting is heard to its end, each sentence once, or twice where it was begun again.
        private func heardToItsEnd(_ caller: WireCaller) async throws {
            try await caller.message("bot-stopped-speaking")
            let sentences = caller.all("bot-transcription").map(\.text)
            let expected = (1...7).map { "This is sentence number \($0) of a long and patient announcement." }
            #expect(sentences == expected, "\(sentences)")
            #expect(caller.state.closure == nil)
        }

        @Test func aSpeechGoesOnWhenItsWorkerIsKilled() async throws {
            try await withCluster { cluster in
                let caller = try await listener(cluster)
                try await caller.message("bot-transcription", 2)
                cluster.signal(try await carrier(cluster), SIGKILL)
                try await heardToItsEnd(caller)
                caller.close()
            }
        }

        @Test func aPausedWorkerLosesItsCallAndDoesNotDisturb() async throws {
            try await withCluster { cluster in
                let caller = try await listener(cluster)
                try await caller.message("bot-transcription", 2)
                let paused = try await carrier(cluster)
                cluster.signal(paused, SIGSTOP)
                try await caller.message("bot-transcription", 4)
                cluster.signal(paused, SIGCONT)
                try await heardToItsEnd(caller)
                try await eventually("the paused worker has given it up") {
                    await LocalCluster.get(cluster.opsURL(paused) + "/metrics")?.body.contains("\nparley_worker_sessions 0") == true
                }
                caller.close()
            }
        }

        @Test func aDrainedWorkerHandsItsCallOverAndEnds() async throws {
            try await withCluster { cluster in
                let caller = try await listener(cluster)
                try await caller.message("bot-transcription", 6)
                let drained = try await carrier(cluster)
                cluster.signal(drained, SIGTERM)
                #expect(await cluster.waitForExit(drained, seconds: 40) == 0)
                try await heardToItsEnd(caller)
                let other = try await carrier(cluster)
                #expect(other != drained)
                caller.send("send-text", id: "1", ["content": "Are you still there?"])
                try await caller.message("bot-stopped-speaking", 2)
                caller.close()
            }
        }
    }
}

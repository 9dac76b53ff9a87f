import ClusterSupport
import Testing

extension ClusterTests {
    @Suite(
        .enabled(
            if: (try? LocalCluster.postgresPrograms()) != nil,
            "NOTHING IS PROVED ABOUT FAULTS: PostgreSQL's server is not installed; install the package postgresql"))
    struct ChaosTests {
        /// A short run of `parley chaos`, which says itself what does not hold.
        @Test func conversationsSurviveWhatTheSeedBreaks() async throws {
            let faults = [
                "kill-worker", "stop-worker", "kill-store", "kill-archiver", "kill-dispatcher", "restart-redis",
                "restart-postgres", "partition-worker", "drain-worker",
            ]
            let outcome = try await Command.run(
                Command.own("parley"),
                [
                    "chaos", "--seed", "3", "--calls", "2", "--duration", "80s", "--every", "8s", "--faults",
                    faults.joined(separator: ","),
                ])
            #expect(outcome.status == 0, "\(outcome.output)")
        }
    }
}

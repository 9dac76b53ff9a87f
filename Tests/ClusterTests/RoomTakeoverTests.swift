import ClusterSupport
import Foundation
import SessionLog
import Testing

extension ClusterTests {
    /// Processes end and a call in a LiveKit room goes on, with the same agent in the caller's eyes.
    @Suite(.enabled(if: RoomBed.isAvailable, RoomBed.absence)) struct RoomTakeoverTests {
        @Test func aSpeechGoesOnWhenItsWorkerIsKilled() async throws {
            try await RoomCall.run("monologue") { call in
                try await call.callers.event("words") { $0.text?.contains("number 2") == true }
                let first = try await call.owner()
                await call.kill(first)
                try await call.expectWhole()
                #expect(try await call.owner() != first)
                try await call.expectOneAgent(comings: 2...2)
            }
        }

        @Test func aDrainedWorkerHandsItsCallOverBetweenTurns() async throws {
            try await RoomCall.run("monologue") { call in
                try await call.callers.event("words") { $0.text?.contains("number 6") == true }
                let first = try await call.owner()
                call.cluster.signal(first, SIGTERM)
                #expect(await call.cluster.waitForExit(first, seconds: 40) == 0)
                try await call.expectWhole()
                // The announcement was not cut in two.
                #expect(call.callers.texts(of: call.callers.events("participant")[0].identity ?? "").first?.text == RoomCall.sentences.joined(separator: " "))
                #expect(try await call.log().owners.count == 2)
                try await call.expectOneAgent(comings: 1...2)
            }
        }

        @Test func aPausedWorkerIsPutOutAndDoesNotComeBack() async throws {
            try await RoomCall.run("monologue") { call in
                try await call.callers.event("words") { $0.text?.contains("number 2") == true }
                let paused = try await call.owner()
                call.cluster.signal(paused, SIGSTOP)
                _ = try await call.log(when: "another owner") { $0.owners.count == 2 }
                try await call.callers.event("words") { $0.text?.contains("number 4") == true }
                call.cluster.signal(paused, SIGCONT)
                try await eventually("the paused worker has given it up") {
                    await LocalCluster.get(call.cluster.opsURL(paused) + "/metrics")?.body.contains("\nparley_worker_sessions 0") == true
                }
                try await call.expectWhole()
                try await call.expectOneAgent(comings: 2...2)
            }
        }

        @Test func aCallGoesOnWithoutItsDispatcherAndThenItsWorker() async throws {
            try await RoomCall.run("monologue", dispatchers: 2) { call in
                try await call.callers.event("words") { $0.text?.contains("number 2") == true }
                await call.kill("dispatcher-1")
                try await call.callers.event("words") { $0.text?.contains("number 4") == true }
                let first = try await call.owner()
                await call.kill(first)
                try await call.expectWhole()
                #expect(try await call.owner() != first)
                try await call.expectOneAgent(comings: 2...2)
                try call.callers.tell("leave")
                #expect(try await SessionLogs.whole(call.session, in: call.cluster).closing?.reason == "client_disconnected")
            }
        }
    }
}

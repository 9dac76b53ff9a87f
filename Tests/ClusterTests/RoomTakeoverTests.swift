import ClusterSupport
import Foundation
import SessionLog
import Testing

extension ClusterTests {
    /// Processes end and a call in a LiveKit room goes on, with the same agent in the caller's eyes.
    @Suite(.enabled(if: RoomBed.isAvailable, RoomBed.absence)) struct RoomTakeoverTests {
        private static let sentences = (1...7).map { "This is sentence number \($0) of a long and patient announcement." }

        private struct Call {
            let bed: RoomBed
            let cluster: LocalCluster
            let callers: RoomCallers
            let room: String
            let session: String

            func log() async throws -> [SessionLog.Event] { try await SessionLogs.events(of: session, in: cluster) }

            /// The worker that has the session.
            func owner() async throws -> String { try #require(try await log().owners.last) }

            func log(when what: String, _ condition: ([SessionLog.Event]) -> Bool) async throws -> [SessionLog.Event] {
                try await SessionLogs.events(of: session, in: cluster, when: what, condition)
            }

            func say(_ index: Int) throws { try callers.tell("say", "caller", ["wav": bed.recording(index)]) }

            /// The caller has seen one agent under one name, and the server has one now.
            func expectOneAgent(comings: ClosedRange<Int>) async throws {
                let seen = callers.events("participant").compactMap(\.identity)
                #expect(Set(seen).count == 1 && comings.contains(seen.count), "\(callers.summary())")
                #expect(try await bed.agents(in: room) == [seen[0]])
                #expect(callers.events("left").count == seen.count - 1)
                #expect(callers.events("disconnected").isEmpty)
            }
        }

        private func call(_ agent: String, dispatchers: Int = 1, _ body: (Call) async throws -> Void) async throws {
            let bed = try await RoomBed.shared()
            try await bed.withCluster(dispatchers: dispatchers) { cluster in
                let callers = try bed.callers()
                defer { callers.stop() }
                let room = RoomBed.room()
                try await callers.join(room)
                let session = try await bed.session(agent, room, in: cluster)
                try await body(Call(bed: bed, cluster: cluster, callers: callers, room: room, session: session))
            }
        }

        private func kill(_ name: String, of call: Call) async {
            call.cluster.signal(name, SIGKILL)
            _ = await call.cluster.waitForExit(name)
        }

        /// The greeting was heard to its end, and the next turn is answered.
        private func expectWhole(_ call: Call) async throws {
            let log = try await call.log(when: "the greeting's end") { $0.heard.contains { $0.reply == 1 && $0.complete } }
            let sentences = log.compactMap { event in if case .sentence(let sentence) = event.body { sentence.text } else { nil } }
            #expect(sentences == Self.sentences, "\(NormalLog(log))")
            let told = call.callers.events("words").filter { $0.identity != "caller" }.compactMap(\.text)
            for number in 1...7 { #expect(told.contains { $0.contains("number \(number) of") }, "sentence \(number) was not told") }
            try call.say(0)
            let answered = try await call.log(when: "an answer") { $0.heard.count == 2 }
            #expect(answered.turns.map(\.text) == [Testbed.lines[0]] && answered.heard.allSatisfy(\.complete), "\(NormalLog(answered))")
        }

        @Test func aSpeechGoesOnWhenItsWorkerIsKilled() async throws {
            try await call("monologue") { call in
                try await call.callers.event("words") { $0.text?.contains("number 2") == true }
                let first = try await call.owner()
                await kill(first, of: call)
                try await expectWhole(call)
                #expect(try await call.owner() != first)
                try await call.expectOneAgent(comings: 2...2)
            }
        }

        @Test func aDrainedWorkerHandsItsCallOverBetweenTurns() async throws {
            try await call("monologue") { call in
                try await call.callers.event("words") { $0.text?.contains("number 6") == true }
                let first = try await call.owner()
                call.cluster.signal(first, SIGTERM)
                #expect(await call.cluster.waitForExit(first, seconds: 40) == 0)
                try await expectWhole(call)
                // The announcement was not cut in two.
                #expect(call.callers.texts(of: call.callers.events("participant")[0].identity ?? "").first?.text == Self.sentences.joined(separator: " "))
                #expect(try await call.log().owners.count == 2)
                try await call.expectOneAgent(comings: 1...2)
            }
        }

        @Test func aPausedWorkerIsPutOutAndDoesNotComeBack() async throws {
            try await call("monologue") { call in
                try await call.callers.event("words") { $0.text?.contains("number 2") == true }
                let paused = try await call.owner()
                call.cluster.signal(paused, SIGSTOP)
                _ = try await call.log(when: "another owner") { $0.owners.count == 2 }
                try await call.callers.event("words") { $0.text?.contains("number 4") == true }
                call.cluster.signal(paused, SIGCONT)
                try await eventually("the paused worker has given it up") {
                    await LocalCluster.get(call.cluster.opsURL(paused) + "/metrics")?.body.contains("\nparley_worker_sessions 0") == true
                }
                try await expectWhole(call)
                try await call.expectOneAgent(comings: 2...2)
            }
        }

        @Test func aCallGoesOnWithoutItsDispatcherAndThenItsWorker() async throws {
            try await call("monologue", dispatchers: 2) { call in
                try await call.callers.event("words") { $0.text?.contains("number 2") == true }
                await kill("dispatcher-1", of: call)
                try await call.callers.event("words") { $0.text?.contains("number 4") == true }
                let first = try await call.owner()
                await kill(first, of: call)
                try await expectWhole(call)
                #expect(try await call.owner() != first)
                try await call.expectOneAgent(comings: 2...2)
                try call.callers.tell("leave")
                #expect(try await SessionLogs.whole(call.session, in: call.cluster).closing?.reason == "client_disconnected")
            }
        }
    }
}

import ClusterSupport
import Foundation
import SessionLog
import Testing

extension ClusterTests {
    /// Callers that a real LiveKit server takes for telephones, because their tokens say so. It has no telephone service.
    @Suite(.enabled(if: RoomBed.isAvailable, RoomBed.absence)) struct TelephoneTests {
        /// LiveKit's reason of somebody who was removed.
        private static let removed = 4

        /// A greeted call of somebody of this kind.
        private func call(
            kind: String = "sip", in cluster: LocalCluster? = nil,
            _ body: (RoomBed, RoomCallers, _ room: String, _ session: String) async throws -> Void
        ) async throws {
            let bed = try await RoomBed.shared()
            let callers = try bed.callers()
            defer { callers.stop() }
            let room = RoomBed.room()
            try await callers.join(room, "caller", identity: "caller", ["kind": kind])
            let session = try await bed.session("switchboard", room, in: cluster)
            try await callers.finished(1)
            try await body(bed, callers, room, session)
        }

        @Test func isHungUpWhenTheAgentEndsTheCall() async throws {
            try await call { bed, callers, _, session in
                try callers.tell("chat", "caller", ["text": "Bye."])
                #expect(try await callers.event("disconnected").reason == Self.removed)
                let log = try await SessionLogs.whole(session, in: bed.cluster)
                #expect(log.closing?.reason == "completed" && log.heard.last?.text == "Goodbye." && log.heard.last?.complete == true)
            }
        }

        @Test func isHungUpWhenTheAPIEndsTheCall() async throws {
            try await call { bed, callers, _, session in
                let answer = try await API.send("DELETE", bed.cluster.url() + "/v1/sessions/\(session)", key: LocalCluster.apiKey)
                #expect(answer.status == 202)
                #expect(try await callers.event("disconnected").reason == Self.removed)
            }
        }

        @Test func isHungUpByTheWorkerThatHasTakenTheCallOver() async throws {
            let bed = try await RoomBed.shared()
            try await bed.withCluster { cluster in
                try await call(in: cluster) { _, callers, _, session in
                    let first = try #require(try await SessionLogs.events(of: session, in: cluster).owners.last)
                    cluster.signal(first, SIGKILL)
                    _ = await cluster.waitForExit(first)
                    try await SessionLogs.events(of: session, in: cluster, when: "a new owner") { $0.owners.count == 2 }
                    try await callers.event("track", "caller", 2)
                    #expect(callers.events("disconnected").isEmpty)
                    try callers.tell("chat", "caller", ["text": "Bye."])
                    #expect(try await callers.event("disconnected").reason == Self.removed)
                }
            }
        }

        @Test func staysWithWhoeverElseIsThereAndOthersStayAnyway() async throws {
            try await call { bed, callers, room, _ in
                try await callers.join(room, "colleague", identity: "colleague", ["microphone": false])
                try callers.tell("chat", "caller", ["text": "Bye."])
                try await callers.event("left", "colleague")
                // Whoever is alone in a browser.
                let web = RoomBed.room()
                try await callers.join(web, "web", identity: "web")
                _ = try await bed.session("switchboard", web)
                try await callers.finished(1, "web")
                try callers.tell("chat", "web", ["text": "Bye."])
                try await callers.event("left", "web")
                // By the time that another telephone has been hung up they would have been.
                let last = RoomBed.room()
                try await callers.join(last, "last", identity: "last", ["kind": "sip"])
                _ = try await bed.session("switchboard", last)
                try await callers.finished(1, "last")
                try callers.tell("chat", "last", ["text": "Bye."])
                #expect(try await callers.event("disconnected", "last").reason == Self.removed)
                for name in ["caller", "colleague", "web"] { #expect(callers.events("disconnected", name).isEmpty, "\(name)") }
            }
        }

        /// This server refuses every transfer.
        @Test func isToldWhenATransferFails() async throws {
            try await transfer(kind: "sip", "The caller was not transferred: the telephone service")
        }

        @Test func aCallerInABrowserCannotBeTransferred() async throws {
            try await transfer(kind: "standard", "The caller was not transferred: the caller is not on a telephone.")
        }

        private func transfer(kind: String, _ problem: String) async throws {
            try await call(kind: kind) { bed, callers, _, session in
                try callers.tell("chat", "caller", ["text": "I want a person."])
                try await callers.finished(2)
                let log = try await SessionLogs.events(of: session, in: bed.cluster, when: "the answer") { $0.heard.count == 2 }
                let results = log.compactMap { event in if case .toolReturned(let result) = event.body { result } else { nil } }
                #expect(results.count == 1 && results[0].outcome == .toolFailed && results[0].content.hasPrefix(problem), "\(NormalLog(log))")
                #expect(log.heard.last?.text == "I put you through. Nobody answers there." && log.heard.last?.complete == true, "\(NormalLog(log))")
                #expect(callers.events("disconnected").isEmpty)
                try callers.tell("leave")
                #expect(try await SessionLogs.whole(session, in: bed.cluster).closing?.reason == "client_disconnected")
            }
        }
    }
}

import Foundation
import ProviderSimulator
import SessionLog
import Testing

extension ClusterTests {
    /// Calls in rooms of a real LiveKit server with a real frontend: LiveKit's own JavaScript client in Chromium.
    @Suite(.enabled(if: Browser.isAvailable, Browser.absence)) struct BrowserTests {
        private let conversations = RoomConversations(.browser)

        /// What LiveKit's React components would show.
        private struct Shown: Decodable {
            struct Line: Decodable {
                var segment: String
                var identity: String
                var text: String
                var isFinal: Bool?
            }
            var state: String
            var agents: [String]
            var lines: [Line]

            init(_ callers: RoomCallers, _ id: String) async throws {
                try callers.tell("show", "caller", ["id": id])
                let text = try await callers.event("shown") { $0.id == id }.text ?? ""
                self = try JSONDecoder().decode(Self.self, from: Data(text.utf8))
            }
        }

        @Test func aCallerHoldsAConversation() async throws {
            try await conversations.whole { callers, log in
                // The greeting was heard from its beginning on.
                let (begun, ended) = (callers.events("loud").first?.at ?? 0, callers.events("quiet").first?.at ?? 0)
                let spoken = ToneVoice.layout(log.heard[0].text, rate: 16_000).count / 16
                let told = log.heard.map(\.text)
                // Programs that know no streams are told the same.
                func captions(of identity: String) -> [String] {
                    callers.events("caption").filter { $0.identity == identity && $0.final == "true" }.compactMap(\.text)
                }
                let agent = try #require(callers.events("participant").first?.identity)
                #expect(captions(of: agent) == told && captions(of: "caller") == Testbed.lines)
                #expect(Set(callers.events("caption").map(\.track)) == Set((callers.events("track") + callers.events("published")).map(\.sid)))
                #expect(ended - begun > spoken - 400, "\(ended - begun) ms of audio for \(spoken) ms of words")
                let states = callers.events("frontend").compactMap(\.state).prefix { $0 != "failed" }
                #expect(states.starts(with: ["connecting", "pre-connect-buffering", "initializing"]), "\(states)")
                #expect(states.suffix(1) != ["initializing"] && states.count { $0 == "speaking" } == log.heard.count, "\(states)")
            }
        }

        @Test func aCallerInterruptsTheAgent() async throws { try await conversations.interruption() }
        @Test func whoWritesIsAnswered() async throws { try await conversations.writing() }
        @Test func peopleMayAskByRPC() async throws { try await conversations.asking() }

        @Test func whatWasSaidBeforeTheAgentCameIsATurn() async throws {
            let bed = try await RoomBed.shared()
            let callers = try bed.callers(.browser)
            defer { callers.stop() }
            let room = RoomBed.room()
            // More than two seconds, which is what a session takes of the caller at once while it is live.
            try await callers.join(room, "caller", ["before": (0..<3).map(bed.pausedRecording)])
            let session = try await bed.session("silent", room)
            // Pauses may end turns; no word is missing.
            func expectTurns(_ count: Int) async throws {
                let said = Testbed.lines[..<count].joined(separator: " ")
                _ = try await SessionLogs.events(of: session, in: bed.cluster, when: said) { $0.turns.map(\.text).joined(separator: " ") == said }
            }
            try await expectTurns(3)
            try callers.tell("say", "caller", ["wav": bed.recording(3)])
            try await expectTurns(4)
        }

        /// The agent comes while the caller speaks: the beginning is in the recording, the rest comes as it is spoken.
        @Test func whoSpeaksWhileTheAgentComesIsUnderstood() async throws {
            let bed = try await RoomBed.shared()
            let callers = try bed.callers(.browser)
            defer { callers.stop() }
            let room = RoomBed.room()
            try callers.tell("join", "caller", ["room": room, "before": [bed.pausedRecording(0)]])
            for index in 1..<3 { try callers.tell("say", "caller", ["wav": bed.pausedRecording(index)]) }
            try await callers.event("joined")
            let session = try await bed.session("silent", room)
            let log = try await SessionLogs.events(of: session, in: bed.cluster, when: "all of it") { $0.turns.last?.text.hasSuffix(Testbed.lines[2]) == true }
            #expect(log.turns.map(\.text).joined(separator: " ") == Testbed.lines[..<3].joined(separator: " "), "\(NormalLog(log))")
        }

        @Test func aSpeechGoesOnWhenItsWorkerIsKilled() async throws {
            try await RoomCall.run("monologue", .browser) { call in
                let callers = call.callers
                try await callers.event("words") { $0.text?.contains("number 2") == true }
                let first = try await call.owner()
                await call.kill(first)
                let tracks = callers.events("track").count
                try await callers.event("track", "caller", 2)
                #expect(tracks == 1 && Set(callers.events("track").map(\.identity)).count == 1)
                let answered = try await call.expectWhole()
                #expect(try await call.owner() != first)
                // The same participant all the time: a frontend whose agent leaves says that the call has failed.
                try await call.expectOneAgent(comings: 1...1)
                try await callers.finished(2)
                let shown = try await Shown(callers, "1")
                #expect(shown.agents.count == 1 && shown.state == "listening", "\(shown)")
                // Nobody sees that anything happened: neither in the state nor in the words.
                let states = callers.events("frontend").compactMap(\.state)
                #expect(states.count { $0 == "initializing" } == 1 && !states.contains("failed"), "\(states)")
                let said = shown.lines.filter { $0.identity != "caller" }
                #expect(said.map(\.text) == [Testbed.monologue] + answered.heard.suffix(1).map(\.text), "\(said)")
                #expect(said.allSatisfy { $0.isFinal == true })
            }
        }
    }
}

/// Chromium and the client that it loads.
enum Browser {
    private static let environment = ProcessInfo.processInfo.environment
    private static let isInstalled = (environment["PATH"] ?? "").split(separator: ":").contains {
        FileManager.default.isExecutableFile(atPath: "\($0)/chromium")
    }
    /// LiveKit's JavaScript client as one file, which is not part of this repository.
    private static let client = environment["PARLEY_LIVEKIT_CLIENT_JS"]

    static var isAvailable: Bool {
        RoomBed.isAvailable && isInstalled && client.map { FileManager.default.isReadableFile(atPath: $0) } == true
    }
    /// For tests that are skipped without.
    static var absence: Comment {
        guard RoomBed.isAvailable else { return RoomBed.absence }
        return isInstalled
            ? "PARLEY_LIVEKIT_CLIENT_JS names no readable livekit-client.umd.js; NO CALL FROM A BROWSER WAS TESTED"
            : "chromium is not on the PATH; NO CALL FROM A BROWSER WAS TESTED"
    }
}

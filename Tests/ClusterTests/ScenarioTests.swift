import Audio
import CallerSimulator
import ClusterSupport
import ProviderSimulator
import SessionLog
import Testing

/// What a caller does and waits for. All waiting is for what the session's log says, so that it is the same whichever way the call comes.
struct CallScenario: Sendable, CustomTestStringConvertible {
    enum Step: Sendable {
        /// So many replies are over: heard to their end, or interrupted.
        case replies(Int)
        /// So many replies have begun to be heard.
        case audible(Int)
        case toolCalled
        case say(String)
        case press(String)
        case reconnect
        case leave
    }

    var name: String
    var agent = "host"
    var steps: [Step]
    /// Lines that the log must have.
    var expected: [String]

    var testDescription: String { name }

    /// What is said, in order: the simulated recogniser understands exactly this.
    func speeches() throws -> [String: CallerSpeech] {
        var speeches: [String: CallerSpeech] = [:]
        for text in lines { speeches[text] = try CallerSpeech(text, voice: "rms") }
        return speeches
    }

    var lines: [String] { steps.compactMap { if case .say(let text) = $0 { text } else { nil } } }

    static let story = "Tell me a story."
    static let stock = "How many phones are in stock?"

    static let all = [
        CallScenario(
            name: "greet and answer",
            steps: [.replies(1), .say(Testbed.lines[0]), .replies(2), .say(Testbed.lines[1]), .replies(3), .leave],
            expected: ["heard 1: Hello, this is the host.", "reply 2 to 1, replyAnswer, by openai/gpt-4o-mini", "heard 3: Nice to meet you, which company are you with?", "closed: client_disconnected"]),
        CallScenario(
            name: "barge-in", steps: [.replies(1), .say(story), .audible(2), .say(Testbed.lines[0]), .replies(3), .leave],
            expected: ["interrupted 2", "heard 3: Nice to meet you, which company are you with?"]),
        CallScenario(
            name: "back-channel", steps: [.replies(1), .say(story), .audible(2), .say("Okay."), .replies(2), .leave],
            expected: ["heard 2: \(RoomBed.story)."]),
        CallScenario(
            name: "tool and barge-in", steps: [.replies(1), .say(stock), .toolCalled, .say(Testbed.lines[0]), .replies(3), .leave],
            expected: [
                #"tool stock_level {"item": "phones"}: toolSucceeded, {"done":true,"repeated":false}"#, "interrupted 2",
                "heard 3: Nice to meet you, which company are you with?",
            ]),
        CallScenario(
            name: "silence", agent: "idler", steps: [],
            expected: ["heard 2: Are you still there?", "heard 3: Are you still there?", "closed: idle"]),
        CallScenario(
            name: "keys", steps: [.replies(1), .press("12#"), .replies(2), .leave],
            expected: ["keys 12#", "turn 1 by inputDtmf: 12#", "heard 2: You pressed twelve."]),
        CallScenario(
            name: "hang-up in mid-reply", steps: [.replies(1), .say(story), .audible(2), .leave],
            expected: ["interrupted 2", "closed: client_disconnected"]),
        CallScenario(
            name: "reconnect", steps: [.replies(1), .say(Testbed.lines[0]), .replies(2), .reconnect, .say(Testbed.lines[1]), .replies(3), .leave],
            expected: ["detached", "heard 3: Nice to meet you, which company are you with?"]),
    ]
}

/// Logs that were made already: the first way is what the others are compared with.
private actor ScenarioLogs {
    static let shared = ScenarioLogs()
    private var logs: [String: NormalLog] = [:]

    func log(_ scenario: CallScenario) async throws -> NormalLog {
        if let log = logs[scenario.name] { return log }
        let log = try await ScenarioRun.log(scenario, by: .pipecat)
        logs[scenario.name] = log
        return log
    }
}

private enum ScenarioRun {
    static func log(_ scenario: CallScenario, by way: Way) async throws -> NormalLog {
        let bed = try await RoomBed.shared()
        let speeches = try scenario.speeches()
        bed.simulator.say(scenario.lines.compactMap { text in
            speeches[text].map { ScriptedUtterance(text, speechMilliseconds: Int($0.duration.milliseconds)) }
        })
        let before = try await SessionLogs.sessions(in: bed.cluster)
        let caller = try await way.call(scenario.agent, bed)
        defer { caller.stop() }
        var session = ""
        try await eventually("a session") {
            session = (try? await SessionLogs.sessions(in: bed.cluster).subtracting(before).first) ?? ""
            return !session.isEmpty
        }
        for step in scenario.steps {
            switch step {
            case .say(let text): if let speech = speeches[text] { try caller.say(speech) }
            case .press(let keys): try caller.press(keys)
            case .leave: try caller.leave()
            case .reconnect:
                try await caller.reconnect()
                try await SessionLogs.events(of: session, in: bed.cluster, when: "the caller is back, \(way)") { $0.isAttachedAgain }
            case .replies(let count):
                try await SessionLogs.events(of: session, in: bed.cluster, when: "\(count) replies, \(way)") { $0.heard.count >= count }
            case .audible(let count):
                try await SessionLogs.events(of: session, in: bed.cluster, when: "reply \(count) is heard, \(way)") { $0.audible.count >= count }
            case .toolCalled:
                try await SessionLogs.events(of: session, in: bed.cluster, when: "a tool call, \(way)") { $0.callsTool }
            }
        }
        return NormalLog(try await SessionLogs.whole(session, in: bed.cluster))
    }
}

extension [SessionLog.Event] {
    fileprivate var audible: Set<UInt32> {
        Set(compactMap { if case .sentenceAudio(let audio) = $0.body { audio.reply } else { nil } })
    }
    fileprivate var callsTool: Bool { contains { if case .toolCalled = $0.body { true } else { false } } }
    /// After the caller was gone.
    fileprivate var isAttachedAgain: Bool {
        guard let gone = lastIndex(where: { if case .detached = $0.body { true } else { false } }) else { return false }
        return self[gone...].contains { if case .attached = $0.body { true } else { false } }
    }
}

extension ClusterTests {
    /// One set of scenarios with the same agents, whichever way the call comes: the logs are equal.
    @Suite struct ScenarioTests {
        @Test(arguments: CallScenario.all) func pipecatsWayIsAsExpected(_ scenario: CallScenario) async throws {
            let log = try await ScenarioLogs.shared.log(scenario)
            for line in scenario.expected { #expect(log.lines.contains(line), "'\(line)' is missing in\n\(log)") }
        }

        @Test(arguments: CallScenario.all) func rtviIsTheSame(_ scenario: CallScenario) async throws {
            try await compare(.rtvi, scenario)
        }

        @Test(.enabled(if: RoomBed.isAvailable, RoomBed.absence), arguments: CallScenario.all)
        func aRoomIsTheSame(_ scenario: CallScenario) async throws {
            try await compare(.livekit, scenario)
        }

        private func compare(_ way: Way, _ scenario: CallScenario) async throws {
            let first = try await ScenarioLogs.shared.log(scenario)
            let log = try await ScenarioRun.log(scenario, by: way)
            #expect(log == first, "\(way):\n\(log)\n\npipecat:\n\(first)")
        }
    }
}

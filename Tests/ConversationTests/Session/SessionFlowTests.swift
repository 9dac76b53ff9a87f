import Foundation
import LocalProviders
import SessionLog
import Testing

@testable import Conversation

/// The scripted lead qualification, from the agent file that Parley ships, through a whole session.
@Suite struct SessionFlowTests {
    private static func agent() throws -> AgentDefinition {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
            .deletingLastPathComponent()
        let file = root.appending(path: "agents/lead-qualification.yaml")
        return try AgentFile.read(String(contentsOf: file, encoding: .utf8), source: "lead-qualification.yaml")
    }

    private func talk(_ words: [String], _ body: (SessionCall) async throws -> Void) async throws {
        try await SessionCall.run(try Self.agent(), .init(models: 0, lastModel: ScriptedLanguageModel())) { call in
            try await call.receive(.ready)
            await call.advance(8_000)
            for line in words {
                try await call.says(line)
                await call.advance(12_000)
            }
            try await body(call)
        }
    }

    private func record(_ call: SessionCall) async throws -> [String: String] {
        try await call.state().slots(of: "lead").mapValues { $0.refused ? "refused" : $0.value }
    }

    @Test func fiveAnswersFillTheRecordAndEndTheCall() async throws {
        try await talk([
            "my name is sarah miller", "i work for northern logistics", "we need a dashboard for our sales team",
            "about twenty five thousand dollars", "in three months",
        ]) { call in
            #expect(
                try await record(call) == [
                    "name": "Sarah Miller", "company": "Northern Logistics",
                    "need": "we need a dashboard for our sales team",
                    "budget": "25000 dollars", "timeline": "in three months",
                ])
            #expect(try await call.endings() == [.completed])
            expectOrder(
                try await call.log(),
                [
                    "flow name", "sentence 1.0 Hello, this is Acme Analytics.", "turn 1",
                    "slot name 'Sarah Miller' by flow", "flow company",
                    "turn 2", "slot company", "turn 3", "slot need", "turn 4", "slot budget", "turn 5", "slot timeline",
                    "flow closing",
                    "heard", "closed completed",
                ])
        }
    }

    @Test func aCorrectionChangesTheRecord() async throws {
        try await talk(["my name is john smith", "no, smith with a y"]) { call in
            #expect(try await record(call) == ["name": "John Smyth"])
            let log = try await call.log()
            expectOrder(log, ["slot name 'John Smith'", "slot name 'John Smyth'", "flow company"])
            #expect(try await call.state().slots(of: "lead")["name"]?.words == "no, smith with a y")
        }
    }

    @Test func aRefusalIsRecordedAndTheFlowGoesOn() async throws {
        try await talk(["john smith", "I'd rather not say"]) { call in
            let (record, log) = (try await record(call), try await call.log())
            #expect(record == ["name": "John Smith", "company": "refused"])
            #expect(log.last { $0.hasPrefix("flow") } == "flow need")
        }
    }

    @Test func anOffTopicQuestionIsTurnedAside() async throws {
        try await talk(["john smith", "What is the weather like?"]) { call in
            #expect(try await record(call) == ["name": "John Smith"])
            let state = try await call.state()
            #expect(
                state.replies.last?.text
                    == "That is a good question for my colleague. What is the name of your company?")
        }
    }

    @Test func theRecogniserIsToldWhatIsAsked() async throws {
        try await talk(["john smith"]) { call in
            #expect(try await call.on { _ in call.ears.stream?.hint?.grammar } == "company")
            // Also where the caller interrupts the question.
            try await call.says("acme industries")
            await call.advance(1_500)
            try await call.says("we need help with our data")
            await call.advance(1_000)
            #expect(try await call.on { _ in call.ears.stream?.hint?.grammar } == "budget")
        }
    }
}

import Foundation
import SessionLog
import Testing

@testable import Conversation

/// What the client's program asks, and replies that it wants written only.
@Suite struct ClientRequestTests {
    private func answer(_ call: SessionCall, _ type: String) async throws -> Any {
        try await call.receive(.request(id: "q", type: type, json: ""))
        let line = try #require(try await call.lines().last { $0.hasPrefix("notice response q \(type) ") })
        let json = line.dropFirst("notice response q \(type) ".count)
        return try JSONSerialization.jsonObject(with: Data(json.utf8))
    }

    @Test func theTranscriptIsWhatWasSaidAndHeard() async throws {
        try await SessionCall.run { call in
            try await call.greeted()
            try await call.exchange("What do you sell?", "We sell tea.")
            try await call.says("Tell me more.")
            await call.advance(400)
            try await call.answers("There is green tea and black tea and white tea.")
            await call.advance(1_000)
            try await call.receive(.text("Stop.", interrupts: true, speak: true))
            let transcript = try #require(try await answer(call, "transcript") as? [[String: Any]])
            #expect(transcript.map { $0["role"] as? String } == ["agent", "user", "agent", "user", "agent", "user"])
            #expect(transcript.prefix(3).map { $0["text"] as? String } == ["Hello there.", "What do you sell?", "We sell tea."])
            #expect(transcript.map { $0["interrupted"] as? Bool } == [false, false, false, false, true, false])
            let times = transcript.compactMap { $0["time"] as? Int }
            #expect(times.count == 6)
            #expect(times == times.sorted())
        }
    }

    @Test func aLongTranscriptLosesItsBeginning() async throws {
        try await SessionCall.run { call in
            try await call.greeted()
            let long = String(repeating: "word ", count: 6_000)
            for number in 1...12 {
                try await call.receive(.text("\(number) \(long)", interrupts: true, speak: true))
                try await call.answers("Yes.")
                await call.advance(1_000)
            }
            let transcript = try #require(try await answer(call, "transcript") as? [[String: Any]])
            #expect((5...9).contains(transcript.count { $0["role"] as? String == "user" }))
            #expect(transcript.last?["text"] as? String == "Yes.")
        }
    }

    @Test func theStateSaysWhoTalks() async throws {
        try await SessionCall.run { call in
            try await call.receive(.ready)
            await call.advance(300)
            let speaking = try #require(try await answer(call, "state") as? [String: Any])
            #expect(speaking["state"] as? String == "speaking")
            #expect(speaking["agent"] as? String == "tea")
            #expect(speaking["session"] as? String == "s-1")
            await call.advance(2_000)
            let listening = try #require(try await answer(call, "state") as? [String: Any])
            #expect(listening["state"] as? String == "listening")
            #expect(listening["agent_turns"] as? Int == 1)
            #expect(listening["user_turns"] as? Int == 0)
            try await call.says("What do you sell?")
            await call.advance(400)
            let thinking = try #require(try await answer(call, "state") as? [String: Any])
            #expect(thinking["state"] as? String == "thinking")
        }
    }

    @Test func unknownQuestionsAreAnsweredWithWhatThereIs() async throws {
        try await SessionCall.run { call in
            try await call.greeted()
            try await call.receive(.request(id: "q", type: "weather", json: "{}"))
            #expect(try await call.lines().last == "notice error response q Unsupported type 'weather'; this agent answers 'transcript' and 'state'")
        }
    }

    // MARK: Written replies

    @Test func anAnswerThatIsNotToBeSpokenIsWrittenAndKnownToTheModel() async throws {
        try await SessionCall.run { call in
            try await call.greeted()
            let mark = try await call.mark()
            try await call.receive(.text("Do you ship?", interrupts: true, speak: false))
            try await call.answers("We do ship. Within two days.")
            let lines = try await call.lines(since: mark)
            expectOrder(
                lines,
                [
                    "log turn 1 'Do you ship?'", "log reply 2 to 1", "notice thinking 2", "llm request 1", "log sentence 2.0 We do ship.", "notice text only 2.0 'We do ship.'",
                    "log sentence 2.1 Within two days.", "notice text only 2.1", "notice finished thinking 2", "log heard 2 '' complete",
                ])
            #expect(!lines.contains { $0.hasPrefix("tts") || $0.hasPrefix("audio") || $0.hasPrefix("notice started") })
            try await call.exchange("How much is it?", "Nothing.")
            #expect(
                try await call.requests().last?.context.items.map(\.line) == [
                    "assistant Hello there.", "user Do you ship?", "assistant We do ship. Within two days.", "user How much is it?",
                ])
            // The next answer is spoken again.
            #expect(try await call.lines().contains("audio 3"))
        }
    }

    @Test func aWrittenAnswerThatIsCutShortIsWhatWasWritten() async throws {
        try await SessionCall.run { call in
            try await call.greeted()
            try await call.receive(.text("Do you ship?", interrupts: true, speak: false))
            try await call.model(.text("We do ship. We ship to "))
            try await call.receive(.text("Where?", interrupts: true, speak: true))
            #expect(try await call.log().contains("heard 2 'We do ship.' interrupted"))
            try await call.answers("Everywhere.")
            await call.advance(2_000)
            #expect(try await call.log().last == "heard 3 'Everywhere.' complete")
        }
    }

    @Test func aClientMayWantNothingSpokenAtAll() async throws {
        try await SessionCall.run(.speculatingTea) { call in
            try await call.receive(.audioOutput(false))
            try await call.receive(.ready)
            #expect(try await call.lines().contains("notice text only 1.0 'Hello there.'"))
            try await call.says("What do you sell?")
            try await call.answers("We sell tea. It is green.")
            await call.advance(400)
            let lines = try await call.lines()
            expectOrder(lines, ["log turn 1", "notice text only 2.0 'We sell tea.'", "notice text only 2.1 'It is green.'", "log heard 2 '' complete"])
            #expect(!lines.contains { $0.hasPrefix("tts") || $0.hasPrefix("audio") })
            #expect(call.count("speculations_kept") == 1)
        }
    }

    @Test func anotherOwnerSpeaksAloudOnlyIfTheClientWantsIt() async throws {
        for wants in [false, true] {
            let events = Recorded()
            try await SessionCall.run { call in
                try await call.receive(.audioOutput(false))
                try await call.greeted()
                if wants { try await call.receive(.audioOutput(true)) }
                events.list = try await call.on { [journal = call.journal] _ in journal.memory.events }
            }
            try await SessionCall.run(.tea, .init(log: events.list)) { call in
                try await call.says("What do you sell?")
                await call.advance(400)
                try await call.answers("We sell tea.")
                await call.advance(2_000)
                let lines = try await call.lines()
                let written = lines.contains("notice text only 2.0 'We sell tea.'")
                let spoken = lines.contains("audio 2")
                #expect(written == !wants)
                #expect(spoken == wants)
            }
        }
    }

    @Test func whatChangesOfAClientIsLoggedOnceItHasSaidWhoItIs() async throws {
        try await SessionCall.run { call in
            let before = try await call.log()
            try await call.on { $0.clientChanged() }
            #expect(try await call.log() == before)
            try await call.greeted()
            try await call.on { [media = call.media] session in
                media.client = ClientRecord(protocolName: "test", handshake: [1, 2])
                session.clientChanged()
            }
            #expect(try await call.state().legs[1]?.latest?.handshake == Data([1, 2]))
        }
    }

    @Test func aWrittenAnswerWithAToolGoesOnInWriting() async throws {
        try await SessionCall.run { call in
            try await call.greeted()
            try await call.receive(.text("Is it in stock?", interrupts: true, speak: false))
            try await call.model(.text("Let me look. "))
            try await call.model(.toolCall(ToolCall(id: "c1", name: "stock", arguments: "{}")))
            try await call.model(.finished(.toolCalls, TokenUsage()))
            try await call.until { call.tools.keys["c1"] != nil }
            call.tools.answer("c1", .init(.succeeded, content: "12"))
            try await call.awaits("llm request 2")
            try await call.answers("There are twelve.")
            let lines = try await call.lines()
            expectOrder(lines, ["notice text only 2.0 'Let me look.'", "log tool_returned c1", "notice text only 2.1 'There are twelve.'"])
            #expect(!lines.contains("audio 2"))
        }
    }

    @Test func anotherOwnerGoesOnInWriting() async throws {
        let events = Recorded()
        try await SessionCall.run { call in
            try await call.greeted()
            try await call.receive(.text("Do you ship?", interrupts: true, speak: false))
            try await call.model(.text("We do ship. We ship to "))
            events.list = try await call.on { [journal = call.journal] _ in journal.memory.events }
        }
        try await SessionCall.run(.tea, .init(log: events.list)) { call in
            try await call.answers("Within two days.")
            await call.advance(100)
            let lines = try await call.lines()
            expectOrder(lines, ["log heard 2 'We do ship.' goes on at 1", "llm request 1", "notice text only 2.1 'Within two days.'", "log heard 2"])
            #expect(!lines.contains { $0.hasPrefix("audio") || $0.hasPrefix("tts") })
            #expect(try await call.state().reply(2)?.isFinished == true)
        }
    }

    private final class Recorded: @unchecked Sendable {
        var list: [Event] = []
    }

    // MARK: What was said before

    @Test func anEarlierConversationIsShownToTheModel() async throws {
        try await SessionCall.run { call in
            try await call.receive(.history([HistoryMessage(isAgent: false, text: "I am Ann."), HistoryMessage(isAgent: true, text: "Hello Ann.")]))
            try await call.greeted()
            try await call.says("Who am I?")
            await call.advance(400)
            #expect(
                try await call.requests().last?.context.items.map(\.line) == [
                    "user I am Ann.", "assistant Hello Ann.", "assistant Hello there.", "user Who am I?",
                ])
            try await call.receive(.history([HistoryMessage(isAgent: false, text: "Late.")]))
            #expect(try await call.lines().last?.hasPrefix("notice error what was said before") == true)
        }
    }
}

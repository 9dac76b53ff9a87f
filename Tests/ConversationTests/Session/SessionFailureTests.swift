import LocalProviders
import NIOCore
import NIOEmbedded
import SessionLog
import Testing

@testable import Conversation

/// Providers and the log fail; the conversation goes on or ends in a defined way.
@Suite struct SessionFailureTests {
    // MARK: Recogniser

    @Test func aRecogniserThatDiesIsOpenedAgainAndTheCallerAskedToRepeat() async throws {
        try await SessionCall.run { call in
            try await call.greeted()
            try await call.hears(.failed(.broken))
            try await call.startsSpeaking()
            await call.advance(400)
            try await call.stopsSpeaking()
            #expect(try await call.log().contains("sentence 2.0 I am sorry, I have a technical problem."))
            await call.advance(1_000)
            #expect(try await call.on { _ in call.ears.opened } == 2)
            await call.advance(5_000)
            try await call.exchange("I asked for tea.", "Here it is.")
            expectOrder(
                try await call.log(),
                ["error stt connectivity", "turn 1 'I asked for tea.'", "heard 3 'Here it is.' complete"])
            // Once it hears again, noise is noise.
            let mark = try await call.mark()
            try await call.startsSpeaking()
            await call.advance(400)
            try await call.stopsSpeaking()
            await call.advance(2_000)
            #expect(!(try await call.lines(since: mark)).contains { $0.hasPrefix("log sentence") })
        }
    }

    @Test func aRecogniserThatIsDeadForGoodEndsTheCallWithAWord() async throws {
        var agent = AgentDefinition.tea
        agent.limits.idleSeconds = 60
        try await SessionCall.run(agent) { call in
            try await call.greeted()
            try await call.on { _ in call.ears.failure = .broken }
            try await call.hears(.failed(.broken))
            await call.advance(14_000)
            #expect(try await call.on { _ in call.ears.opened } == 4)
            #expect(try await call.endings().isEmpty)
            await call.advance(15_000)
            #expect(try await call.on { _ in call.ears.opened } == 5)
            expectOrder(
                try await call.log(),
                [
                    "error stt connectivity",
                    "sentence 2.0 I am sorry, I cannot hear you because of a technical problem.", "heard 2",
                    "closed failed",
                ])
            #expect(try await call.log().filter { $0 == "error stt connectivity fatal" }.count == 1)
            #expect(try await call.endings() == [.failed])
        }
    }

    @Test func aCallerWhoTypesNeedsNoRecogniser() async throws {
        try await SessionCall.run { call in
            try await call.greeted()
            try await call.receive(.text("I type.", interrupts: true, speak: true))
            try await call.answers("I see.")
            await call.advance(2_000)
            try await call.hears(.failed(.refused))
            await call.advance(5_000)
            #expect(try await call.endings().isEmpty)
            #expect(try await call.lines().contains("notice error fake is not available: the agent cannot hear"))
            try await call.receive(.text("Still here?", interrupts: true, speak: true))
            #expect(try await call.log().contains("turn 2 'Still here?'"))
        }
    }

    // MARK: Language model

    @Test func theNextModelAnswersWhereTheFirstFails() async throws {
        try await SessionCall.run(.tea, .init(models: 2)) { call in
            try await call.greeted()
            try await call.on { _ in call.models[0].failure = .broken }
            try await call.says("What do you sell?")
            await call.advance(400)
            try await call.answers("Tea.", 1)
            await call.advance(1_000)
            expectOrder(
                try await call.log(), ["error llm connectivity", "sentence 2.0 Tea.", "heard 2 'Tea.' complete"])
            #expect(call.count("provider_failures") == 1)
        }
    }

    @Test func theScriptedFlowAnswersWhereAllModelsFail() async throws {
        var agent = AgentDefinition.tea
        agent.flow = LeadFlow(
            record: "lead", slots: [.init(name: "name", kind: .person, question: "Your name, please?")],
            closing: "Goodbye.",
            offTopic: "Ask my colleague.", notUnderstood: "Pardon?")
        try await SessionCall.run(agent, .init(models: 2, lastModel: ScriptedLanguageModel())) { call in
            try await call.greeted()
            try await call.on { _ in for model in call.models { model.failure = .broken } }
            try await call.says("Ann Lee")
            await call.advance(4_000)
            expectOrder(
                try await call.log(),
                [
                    "error llm", "error llm", "slot name 'Ann Lee' by flow", "flow closing", "sentence 2.0 Goodbye.",
                    "heard 2", "closed completed",
                ])
        }
    }

    @Test func theAgentApologisesWhereNoModelIsLeft() async throws {
        try await SessionCall.run { call in
            try await call.greeted()
            try await call.on { _ in call.models[0].failure = .broken }
            try await call.says("What do you sell?")
            await call.advance(8_000)
            expectOrder(
                try await call.log(),
                [
                    "error llm connectivity", "sentence 2.0 I am sorry", "sentence 2.1 Could you say that again?",
                    "heard 2",
                ])
            try await call.on { _ in call.models[0].failure = nil }
            try await call.exchange("What do you sell?", "Tea.")
            #expect(try await call.log().last == "heard 3 'Tea.' complete")
        }
    }

    @Test func aReplyThatBreaksOffEndsWhereItIs() async throws {
        try await SessionCall.run { call in
            try await call.greeted()
            try await call.says("What do you sell?")
            await call.advance(400)
            try await call.model(.text("We sell tea. It is "))
            try await call.model(.failed(.broken))
            await call.advance(3_000)
            #expect(try await call.log().last == "heard 2 'We sell tea. It is' complete")
        }
    }

    // MARK: Voice

    @Test func theNextVoiceSpeaksAllThatTheFirstHasNot() async throws {
        try await SessionCall.run(.tea, .init(voices: 2)) { call in
            try await call.on { _ in call.voices[0].isStuck = true }
            try await call.receive(.ready)
            try await call.receive(.text("What do you sell?", interrupts: false, speak: true))
            try await call.on { session in
                session.say("This is an announcement.", kind: .say)
                session.synthesised(.failed(nil, .broken, terminal: true), by: 0)
            }
            await call.advance(5_000)
            let lines = try await call.lines()
            expectOrder(
                lines,
                ["tts fake/voice-1 1.0 Hello there.", "audio 1", "log heard 1 'Hello there.' complete", "log heard"])
            #expect(lines.contains("log error tts connectivity"))
            #expect(try await call.endings().isEmpty)
        }
    }

    @Test func aVoiceIDIsForTheFirstVoiceOfTheChainOnly() async throws {
        var agent = AgentDefinition.tea
        agent.pipeline.textToSpeech = [.init("fake/voice-0"), .init("fake/voice-1")]
        agent.pipeline.voice = "anna"
        try await SessionCall.run(agent, .init(voices: 2)) { call in
            try await call.on { _ in call.voices[0].failure = (.refused, true) }
            try await call.greeted()
            #expect(try await call.on { _ in call.voices.map { $0.requests.map(\.voice) } } == [["anna"], [nil]])
        }
    }

    @Test func aSentenceThatFailsOnceIsTriedAgain() async throws {
        try await SessionCall.run { call in
            try await call.on { _ in call.voices[0].failure = (.broken, false) }
            try await call.on { session in
                session.receive(.ready)
                call.loop.execute { call.voices[0].failure = nil }
            }
            await call.advance(2_000)
            expectOrder(
                try await call.lines(),
                [
                    "tts fake/voice-0 1.0", "log error tts", "tts fake/voice-0 1.0", "audio 1",
                    "log heard 1 'Hello there.' complete",
                ])
        }
    }

    @Test func aSentenceThatNoVoiceCanSpeakIsLeftOutAndTheClientTold() async throws {
        try await SessionCall.run { call in
            try await call.on { _ in call.voices[0].unspeakable = "unspeakable" }
            try await call.greeted()
            try await call.says("What do you sell?")
            await call.advance(400)
            try await call.answers("We sell tea. This is unspeakable. It is green.")
            await call.advance(3_000)
            #expect(try await call.log().last == "heard 2 'We sell tea. It is green.' complete")
            #expect(try await call.lines().contains("notice error a sentence could not be spoken: fake"))
        }
    }

    @Test func anAgentWithoutAnyVoiceEndsTheCall() async throws {
        try await SessionCall.run { call in
            try await call.on { _ in call.voices[0].failure = (.broken, true) }
            try await call.receive(.ready)
            expectOrder(
                try await call.lines(),
                [
                    "log error tts connectivity fatal", "notice fatal error no voice is available: fake",
                    "log closed failed", "end failed",
                ])
            #expect(try await call.endings() == [.failed])
        }
    }

    @Test func aVoiceThatFailsSentenceAfterSentenceEndsTheCall() async throws {
        try await SessionCall.run { call in
            try await call.on { _ in call.voices[0].failure = (.broken, false) }
            try await call.greeted()
            for _ in 0..<2 {
                #expect(try await call.endings().isEmpty)
                try await call.receive(.text("Hello?", interrupts: true, speak: true))
                try await call.answers("Yes.")
                await call.advance(1_000)
            }
            #expect(try await call.endings() == [.failed])
        }
    }

    // MARK: The log

    @Test func aSentenceLeavesAfter50MillisecondsWithoutALogAndIsCounted() async throws {
        try await SessionCall.run(.tea, .init(holdsBack: true)) { call in
            try await call.receive(.ready)
            await call.advance(40)
            #expect(!(try await call.lines()).contains("audio 1"))
            await call.advance(40)
            #expect(try await call.lines().contains("audio 1"))
            #expect(call.count("sentences_unlogged") == 1)
        }
    }
}

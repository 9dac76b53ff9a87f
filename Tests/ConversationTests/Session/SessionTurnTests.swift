import Audio
import NIOCore
import SessionLog
import Testing

@testable import Conversation

/// Greeting, turns, speculation: what is logged and heard, and in which order.
@Suite struct SessionTurnTests {
    @Test func theGreetingIsLoggedBeforeItsAudioLeaves() async throws {
        try await SessionCall.run(.tea, .init(holdsBack: true)) { call in
            try await call.receive(.ready)
            await call.advance(40)
            expectOrder(
                try await call.lines(),
                ["notice ready", "log reply 1 to 0", "log sentence 1.0 Hello there.", "tts fake/voice-0 1.0"])
            #expect(!(try await call.lines()).contains("audio 1"))
            try await call.on { _ in call.journal.memory.store() }
            await call.advance(20)
            #expect(try await call.lines().contains("audio 1"))
            #expect(call.count("sentences_unlogged") == 0)
        }
    }

    @Test func aTurnIsAnsweredAndLoggedInOrder() async throws {
        try await SessionCall.run { call in
            try await call.greeted()
            try await call.on { [media = call.media] _ in media.handled = 7 }
            try await call.exchange("What do you sell?", "We sell tea. It is green.")
            #expect(
                try await call.log() == [
                    "claimed", "attached", "attached", "reply 1 to 0", "sentence 1.0 Hello there.", "length 1.0 12000", "usage tts",
                    "heard 1 'Hello there.' complete", "turn 1 'What do you sell?'", "reply 2 to 1",
                    "sentence 2.0 We sell tea.", "latency", "length 2.0 12000", "usage tts",
                    "sentence 2.1 It is green.", "length 2.1 12000", "usage tts",
                    "heard 2 'We sell tea. It is green.' complete",
                ])
            expectOrder(
                try await call.lines(),
                [
                    "log turn 1", "release 7", "notice turn speech 'What do you sell?'", "notice thinking 2",
                    "llm request 1",
                    "notice text 2", "audio 2", "notice started speaking 2", "notice finished thinking 2",
                    "notice stopped speaking 2",
                ])
        }
    }

    @Test func theModelSeesWhatWasSaid() async throws {
        try await SessionCall.run { call in
            try await call.greeted()
            try await call.exchange("What do you sell?", "Tea.")
            try await call.says("How much is it?")
            await call.advance(400)
            let context = try #require(try await call.requests().last?.context)
            #expect(
                context.items.map(\.line) == [
                    "assistant Hello there.", "user What do you sell?", "assistant Tea.", "user How much is it?",
                ])
        }
    }

    @Test func nothingOfASpeculationIsLoggedOrPlayedBeforeItsTurnIsCommitted() async throws {
        try await SessionCall.run(.speculatingTea) { call in
            try await call.greeted()
            let mark = try await call.mark()
            try await call.says("What do you sell?")
            try await call.answers("We sell tea. It is green.")
            await call.advance(100)
            // The model has answered and the first sentence is synthesised, all of it out of sight.
            #expect(
                try await call.lines(since: mark) == ["llm request 1", "tts fake/voice-0 2.0 We sell tea."])
            await call.advance(2_500)
            let lines = try await call.lines(since: mark)
            expectOrder(
                lines,
                [
                    "log turn 1", "log reply 2 to 1", "notice thinking 2", "notice text 2 'We sell tea. It is green.'",
                    "log sentence 2.0 We sell tea.", "log length 2.0 12000", "notice finished thinking 2", "audio 2",
                    "log heard 2",
                ])
            #expect(lines.filter { $0.hasPrefix("llm request") }.count == 1)
            #expect(call.count("speculations_kept") == 1)
        }
    }

    @Test func aRevisedTranscriptThrowsTheSpeculationAway() async throws {
        try await SessionCall.run(.speculatingTea) { call in
            try await call.greeted()
            let mark = try await call.mark()
            try await call.says("I want tea")
            try await call.model(.text("Black or green? Tell me."))
            try await call.hears(final: "without sugar")
            await call.advance(400)
            try await call.answers("No sugar then.")
            await call.advance(2_500)
            let lines = try await call.lines(since: mark)
            expectOrder(
                lines,
                [
                    "llm request 1", "llm cancel 1", "tts cancel 2", "llm request 2",
                    "log turn 1 'I want tea without sugar'",
                ])
            #expect(!lines.contains { $0.contains("log sentence") && $0.contains("Black") })
            #expect(lines.contains("log usage llm wasted") && lines.contains("log usage tts wasted"))
            #expect(!lines.contains("audio 2"))
            #expect(try await call.state().replies.last?.text == "No sugar then.")
        }
    }

    @Test func aFailedSpeculationIsAskedAgainAtCommit() async throws {
        try await SessionCall.run(.speculatingTea) { call in
            try await call.greeted()
            try await call.says("What do you sell?")
            try await call.model(.failed(.broken))
            await call.advance(400)
            try await call.answers("Tea.")
            await call.advance(1_000)
            #expect(try await call.requests().count == 2)
            #expect(try await call.log().contains("heard 3 'Tea.' complete"))
        }
    }

    @Test func typedTextIsAnsweredAsATurn() async throws {
        try await SessionCall.run { call in
            try await call.greeted()
            try await call.receive(.text("Do you ship?", interrupts: true, speak: true))
            try await call.answers("Yes.")
            await call.advance(1_000)
            expectOrder(
                try await call.log(),
                ["turn 1 'Do you ship?'", "reply 2 to 1", "sentence 2.0 Yes.", "heard 2 'Yes.' complete"])
            #expect(try await call.state().userTurns.map(\.input) == [.inputText])
        }
    }

    @Test func typedTextStopsTheGreeting() async throws {
        try await SessionCall.run { call in
            try await call.receive(.ready)
            await call.advance(400)
            try await call.receive(.text("Do you ship?", interrupts: true, speak: true))
            expectOrder(
                try await call.lines(),
                ["audio 1", "tts cancel 1", "log heard 1", "clear 1", "log turn 1 'Do you ship?'"])
        }
    }

    @Test func digitsAreLoggedAndCommittedAtTheHash() async throws {
        try await SessionCall.run { call in
            try await call.greeted()
            try await call.receive(.dtmf("1"))
            try await call.receive(.dtmf("2"))
            #expect(try await call.log().suffix(2) == ["dtmf 1", "dtmf 2"])
            try await call.receive(.dtmf("#"))
            #expect(try await call.state().userTurns.map(\.text) == ["12#"])
            #expect(try await call.state().userTurns.map(\.input) == [.inputDtmf])
        }
    }

    @Test func latencyOfATypedTurnHasNoTranscript() async throws {
        try await SessionCall.run { call in
            try await call.greeted()
            try await call.exchange("What do you sell?", "Tea.")
            try await call.receive(.text("Do you ship?", interrupts: true, speak: true))
            try await call.answers("Yes.")
            await call.advance(1_000)
            let latencies = call.journal.memory.bodies.compactMap { body in
                if case .latency(let latency) = body { latency } else { nil }
            }
            #expect(latencies.map { $0.parts.keys.contains("final_transcript") } == [true, false])
            #expect(latencies.allSatisfy { $0.parts.values.allSatisfy { $0 >= 0 } })
        }
    }

    @Test func aModelWithNothingToSayIsNotSilence() async throws {
        try await SessionCall.run { call in
            try await call.greeted()
            try await call.says("What do you sell?")
            await call.advance(400)
            try await call.answers("")
            expectOrder(
                try await call.log(),
                ["reply 2", "sentence 2.0 I am sorry, I have a technical problem.", "sentence 2.1"])
        }
    }

    @Test func audioOfTheCallerReachesTheRecogniserOnce() async throws {
        try await SessionCall.run { call in
            try await call.receive(.ready)
            let second = ByteBuffer(bytes: [UInt8](repeating: 0, count: 640))
            for _ in 0..<50 {
                try await call.on { $0.callerAudio(second, sampleRate: 16_000, channels: 1, arrival: $0.clock) }
                await call.advance(20)
            }
            let samples = try await call.on { _ in call.ears.stream?.samples ?? 0 }
            #expect((15_000...16_000).contains(samples))
        }
    }

    /// As live audio most of it would be too late, or too far ahead of the clock.
    @Test func audioThatWasKeptForTheSessionIsHeardWhole() async throws {
        try await SessionCall.run { call in
            try await call.receive(.ready)
            await call.advance(500)
            let before = try await call.on { _ in call.ears.stream?.samples ?? 0 }
            let second = ByteBuffer(bytes: [UInt8](repeating: 0, count: 32_000))
            try await call.on { session in
                for _ in 0..<8 { session.keptAudio(second, sampleRate: 16_000, channels: 1) }
                session.replayEnded()
            }
            #expect(try await call.on { _ in call.ears.stream?.samples ?? 0 } - before >= 8 * 16_000)
            #expect(try await call.on { $0.catchUp == nil })
        }
    }

    @Test func audioBeforeTheHandshakeBeginsTheCall() async throws {
        try await SessionCall.run { call in
            let frame = ByteBuffer(bytes: [UInt8](repeating: 0, count: 640))
            try await call.on { $0.callerAudio(frame, sampleRate: 16_000, channels: 1, arrival: $0.clock) }
            #expect(try await call.log().contains("sentence 1.0 Hello there."))
        }
    }

    @Test func anAbsurdSampleRateEndsTheCallWithItsReason() async throws {
        try await SessionCall.run { call in
            try await call.greeted()
            let frame = ByteBuffer(bytes: [UInt8](repeating: 0, count: 640))
            try await call.on { $0.callerAudio(frame, sampleRate: 1, channels: 1, arrival: $0.clock) }
            #expect(try await call.endings() == [.protocolError])
            #expect(try await call.lines().contains { $0.hasPrefix("notice fatal error") })
        }
    }

    @Test(arguments: [true, false]) func aCallerWhoTakesNothingStandsStill(isToldSo: Bool) async throws {
        try await SessionCall.run { call in
            // The client does not take it, or nothing is heard of whether it does.
            @Sendable func take(_ takes: Bool) async throws {
                if isToldSo { return try await call.on { $0.throttled(!takes) } }
                try await call.on { _ in call.media.untaken = takes ? .zero : .milliseconds(321) }
            }
            try await call.receive(.ready)
            await call.advance(200)
            try await take(false)
            let before = try await call.on { _ in call.media.samples[1] }
            await call.advance(5_000)
            #expect(try await call.on { _ in call.media.samples[1] } == before)
            #expect(!(try await call.log()).contains { $0.hasPrefix("heard") })
            try await take(true)
            await call.advance(2_000)
            #expect(try await call.log().contains("heard 1 'Hello there.' complete"))
        }
    }
}

extension ChatItem {
    var line: String {
        switch self {
        case .message(let message):
            "\(message.role.rawValue) \(message.text)" + (message.interrupted ? " (interrupted)" : "")
        case .toolCall(let call): "call \(call.id) \(call.name) \(call.arguments)"
        case .toolResult(let result): "result \(result.callID) \(result.content)"
        }
    }
}

import Audio
import BackendKit
import Testing

@testable import LiveKitMedia

@Suite struct TranscriptionTests {
    private func take(_ notices: ClientNotice...) -> [Transcription.Action] {
        var transcription = Transcription(session: "x", owner: "o")
        return notices.flatMap { transcription.take($0) }
    }

    private func spoken(_ text: String, of sentence: UInt32 = 0, reply: UInt32 = 1) -> ClientNotice {
        .spoken(SentenceID(reply: reply, index: sentence), text: text, remaining: "")
    }

    private func sentence(_ text: String, _ status: SpokenStatus, _ index: UInt32 = 0, reply: UInt32 = 1) -> ClientNotice {
        .sentence(SentenceID(reply: reply, index: index), text: text, status)
    }

    @Test func aReplyIsOneStreamThatGrowsWithTheAudio() {
        let actions = take(
            sentence("Hello there.", .new), sentence("Hello there.", .inProgress), spoken("Hello"), spoken("Hello"), spoken("Hello there."),
            sentence("Hello there.", .completed), spoken("How", of: 1), sentence("How are you?", .completed, 1), .agentStoppedSpeaking(1))
        #expect(
            actions == [
                .open(segment: "SG_x_1"), .write(segment: "SG_x_1", index: 0, text: "Hello"), .write(segment: "SG_x_1", index: 1, text: " there."),
                .write(segment: "SG_x_1", index: 2, text: " How"), .write(segment: "SG_x_1", index: 3, text: " are you?"), .close(segment: "SG_x_1"),
            ])
    }

    /// Programs replace what they had of a segment, so that it is told from its beginning.
    @Test func aReplyThatAnotherOwnerBeganIsToldWhole() {
        let actions = take(
            .replyResumed(3, spoken: "Hello there. I am well."), spoken("How are", of: 2, reply: 3), sentence("How are you?", .completed, 2, reply: 3),
            .agentStoppedSpeaking(3), spoken("Good.", reply: 4))
        #expect(
            actions == [
                .open(segment: "SG_x_3"), .write(segment: "SG_x_3", index: 0, text: "Hello there. I am well."),
                .write(segment: "SG_x_3", index: 1, text: " How are"), .write(segment: "SG_x_3", index: 2, text: " you?"), .close(segment: "SG_x_3"),
                .open(segment: "SG_x_4"), .write(segment: "SG_x_4", index: 0, text: "Good."),
            ])
        #expect(take(.replyResumed(1, spoken: "One."), sentence("Two.", .textOnly, 1)) == [.agentText(segment: "SG_x_1", text: "One. Two.")])
        #expect(take(.replyResumed(1, spoken: ""), spoken("One.")).first == .open(segment: "SG_x_1"))
    }

    @Test func anInterruptedReplyEndsWithWhatWasSaid() {
        #expect(
            take(spoken("So far"), .interrupted(1), .agentStoppedSpeaking(1)) == [
                .open(segment: "SG_x_1"), .write(segment: "SG_x_1", index: 0, text: "So far"), .close(segment: "SG_x_1"),
            ])
    }

    @Test func theNextReplyClosesAnEarlierOne() {
        #expect(
            take(spoken("One."), spoken("Two.", reply: 2), .agentStoppedSpeaking(1), .agentStoppedSpeaking(2)) == [
                .open(segment: "SG_x_1"), .write(segment: "SG_x_1", index: 0, text: "One."), .close(segment: "SG_x_1"),
                .open(segment: "SG_x_2"), .write(segment: "SG_x_2", index: 0, text: "Two."), .close(segment: "SG_x_2"),
            ])
    }

    @Test func aReplyThatIsOnlyWrittenIsThereToo() {
        let actions = take(
            sentence("One.", .textOnly), sentence("Two.", .textOnly, 1), .agentFinishedThinking(1), sentence("Other.", .textOnly, reply: 2))
        #expect(
            actions == [
                .agentText(segment: "SG_x_1", text: "One."), .agentText(segment: "SG_x_1", text: "One. Two."),
                .agentText(segment: "SG_x_2", text: "Other."),
            ])
    }

    @Test func everyVersionOfTheCallersWordsReplacesTheOneBefore() {
        let actions = take(
            .userTranscript(text: "book", final: false, at: .zero), .userTranscript(text: "book", final: false, at: .zero),
            .userTranscript(text: "book a table", final: true, at: .zero), .userTranscript(text: "book", final: false, at: .zero))
        #expect(
            actions == [
                .callerText(segment: "SG_x_o_u1", text: "book", isFinal: false), .callerText(segment: "SG_x_o_u1", text: "book a table", isFinal: true),
                .callerText(segment: "SG_x_o_u2", text: "book", isFinal: false),
            ])
    }

    // MARK: The agent's state

    private func state(_ notices: ClientNotice...) -> AgentState { notices.reduce(.initializing) { $0.after($1) } }

    @Test func theStateIsThatOfTheConversation() {
        #expect(state(.userStartedSpeaking) == .initializing)
        #expect(state(.ready) == .listening)
        #expect(state(.ready, .agentThinking(1)) == .thinking)
        #expect(state(.ready, .agentThinking(1), .agentStartedSpeaking(1)) == .speaking)
        #expect(state(.ready, .agentStartedSpeaking(1), .agentThinking(2)) == .speaking)
        #expect(state(.ready, .agentStartedSpeaking(1), .agentStoppedSpeaking(1)) == .listening)
        #expect(state(.ready, .agentStartedSpeaking(1), .interrupted(1)) == .listening)
        #expect(state(.ready, .agentStartedSpeaking(1), .ready) == .speaking)
        #expect(AgentState.idle.after(.userStartedSpeaking) == .listening)
    }

    @Test func theAgentListensAfterAReplyThatIsOnlyWritten() {
        #expect(state(.ready, .agentThinking(1), sentence("One.", .textOnly), .agentFinishedThinking(1)) == .listening)
        #expect(state(.ready, .agentStartedSpeaking(1), sentence("One.", .textOnly, reply: 2)) == .speaking)
    }
}

import RedisClient
import SessionLog
import SwiftProtobuf
import Testing

@testable import ArchiverService

@Suite struct ProjectionTests {
    private func archived(_ conversations: Conversations) throws -> [ArchivedEvent] {
        try conversations.entries().compactMap { entry in
            if case .event(let event) = entry.content { event } else { nil }
        }
    }

    private func replies(_ events: [ArchivedEvent]) -> [ReplyKey: [ArchivedEvent]] {
        Dictionary(grouping: events.filter { $0.reply != nil }) {
            $0.reply ?? ReplyKey(session: $0.key.session, reply: 0)
        }
    }

    @Test func aConversationBecomesItsRows() throws {
        let events = try archived(Conversations(sessions: 1, turns: 2))
        let changes = Projection.changes(new: events, replies: replies(events))
        let conversation = try #require(changes.conversations.first)
        #expect(changes.conversations.count == 1)
        #expect(conversation.opening?.value.backend == "pipecat")
        #expect(conversation.opening?.value.parameters == #"{"number":"0","source":"web\#u{FFFD}site"}"#)
        #expect(conversation.worker?.value == "worker-b")
        #expect(conversation.agent?.value.name == "lead-qualification")
        #expect(conversation.closing?.value.reason == "caller_left")
        #expect((conversation.claims, conversation.userTurns, conversation.agentTurns) == (2, 2, 2))
        #expect((conversation.toolCalls, conversation.interruptions, conversation.errors) == (2, 1, 0))
        #expect(conversation.events == Int64(events.count))
        #expect(changes.turns.map(\.role) == [.user, .agent, .user, .agent])
        #expect(changes.toolCalls.map(\.called?.value.name) == ["record_lead", "record_lead"])
        #expect(changes.toolCalls.map(\.returned?.value.outcome) == ["succeeded", "succeeded"])
        #expect(changes.leads.map(\.slot) == ["company", "need"])
        #expect(changes.usage.count == 2)
        // A part that did not happen has no row.
        #expect(
            changes.latency.map(\.part) == [
                "end_of_turn", "first_frame", "first_token", "end_of_turn", "first_frame", "first_token",
            ])
    }

    @Test func aReplyIsItsSentencesAndWhatWasHeardLast() throws {
        let events = try archived(Conversations(sessions: 1, turns: 2))
        let turn = try #require(Projection.changes(new: events, replies: replies(events)).turns.last)
        #expect(turn.text == "First sentence. Second sentence.")
        #expect(turn.heard == "First sentence. Second")
        #expect(turn.heardMilliseconds == 1500)
        #expect(turn.interrupted)
        #expect(!turn.complete)
        #expect(turn.answers == 2)
    }

    @Test func theOrderOfEventsDoesNotMatter() throws {
        let events = try archived(Conversations(sessions: 3, turns: 3))
        let forward = Projection.changes(new: events, replies: replies(events))
        let backward = Projection.changes(new: events.reversed(), replies: replies(events.reversed()))
        #expect("\(forward)" == "\(backward)")
    }

    @Test func aReplyWithoutItsBeginningHasNoRowYet() throws {
        let events = try archived(Conversations(sessions: 1, turns: 1))
        let late = events.filter { if case .replyStarted = $0.event.body { false } else { true } }
        #expect(Projection.changes(new: late, replies: replies(late)).turns.map(\.role) == [.user])
    }

    @Test func aReplyNumberUsedTwiceAfterALostSecondGivesTwoRows() throws {
        let session = try SessionID(region: "test1", partition: 0, openedAt: 0)
        let key = SessionKey(day: session.openingDate.iso, session: session.description)
        func event(_ fence: UInt64, _ sequence: UInt64, _ body: Event.OneOf_Body) throws -> ArchivedEvent {
            let event = Event.with {
                $0.fence = fence; $0.sequence = sequence; $0.body = body
            }
            return ArchivedEvent(
                key: EventKey(session: key, fence: Int64(fence), sequence: Int64(sequence)), tenant: "acme",
                event: event, payload: [])
        }
        let rows = ReplyProjection.turns([
            try event(
                2, 6,
                .sentence(
                    .with {
                        $0.reply = 1; $0.text = "Spoken by the second owner."
                    })),
            try event(1, 5, .replyStarted(.with { $0.reply = 1 })),
            try event(
                1, 6,
                .sentence(
                    .with {
                        $0.reply = 1; $0.text = "Spoken by the first owner."
                    })),
            try event(2, 5, .replyStarted(.with { $0.reply = 1 })),
        ])
        #expect(rows.map(\.text) == ["Spoken by the first owner.", "Spoken by the second owner."])
    }

    @Test func aCorrectionReplacesTheValueWhateverComesFirst() throws {
        let session = try SessionID(region: "test1", partition: 0, openedAt: 0)
        let key = SessionKey(day: session.openingDate.iso, session: session.description)
        let events = ["Smith", "Smyth"].enumerated().map { index, value in
            ArchivedEvent(
                key: EventKey(session: key, fence: 1, sequence: Int64(index + 1)), tenant: "acme",
                event: .with {
                    $0.slotFilled = .with {
                        $0.record = "lead"; $0.slot = "name"; $0.value = value
                    }
                }, payload: [])
        }
        #expect(Projection.changes(new: events, replies: [:]).leads.map(\.value) == ["Smyth"])
        #expect(Projection.changes(new: events.reversed(), replies: [:]).leads.map(\.value) == ["Smyth"])
    }
}

@Suite struct ArchiveEntryTests {
    private func entry(_ change: (inout [String: RESPValue]) -> Void) throws -> ArchiveEntry.Content {
        var fields = try Conversations(sessions: 1, turns: 1).entries()[0].fields
        change(&fields)
        return ArchiveEntry(stream: "s", id: "1-1", fields: fields).content
    }

    private func reason(_ change: (inout [String: RESPValue]) -> Void) throws -> String? {
        if case .garbage(let reason) = try entry(change) { reason } else { nil }
    }

    @Test func garbageIsNamed() throws {
        #expect(try reason { $0 = [:] }?.contains("session") == true)
        #expect(try reason { $0["session"] = .bytes(Array("nonsense".utf8)) }?.contains("session id") == true)
        #expect(try reason { $0["event"] = .bytes([255, 255, 255]) }?.contains("no event") == true)
        #expect(try reason { $0["tenant"] = nil }?.contains("tenant") == true)
        #expect(try reason { $0["sequence"] = .bytes(Array("77".utf8)) }?.contains("not those of its event") == true)
        #expect(try reason { _ in } == nil)
    }
}

@Suite struct MemoryOutlookTests {
    @Test func growthGivesTheMinutesLeft() {
        let start = ContinuousClock.now
        var outlook = MemoryOutlook()
        outlook.add(used: 100, limit: 1000, at: start)
        #expect(outlook.minutesLeft == nil)
        outlook.add(used: 150, limit: 1000, at: start + .seconds(60))
        // 750 is where new sessions are refused, 50 a minute is the growth.
        #expect(outlook.minutesLeft == 12)
    }

    @Test func nothingInSightWithoutGrowth() {
        let start = ContinuousClock.now
        var outlook = MemoryOutlook()
        outlook.add(used: 100, limit: 1000, at: start)
        outlook.add(used: 90, limit: 1000, at: start + .seconds(60))
        #expect(outlook.minutesLeft == MemoryOutlook.longest)
    }

    @Test func unknownLimitsGiveNoEstimate() {
        let start = ContinuousClock.now
        var outlook = MemoryOutlook()
        outlook.add(used: 100, limit: 0, at: start)
        outlook.add(used: 200, limit: 0, at: start + .seconds(60))
        #expect(outlook.minutesLeft == nil)
    }
}

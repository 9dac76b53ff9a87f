import Audio
import Foundation
import Resilience
import SessionLog
import SwiftProtobuf
import Testing

struct SessionStateTests {
    @Test(arguments: 0..<40 as Range<UInt64>)
    func `folding a prefix and then the rest gives what folding all of it gives`(seed: UInt64) {
        var log = RandomLog(seed: seed)
        let events = log.events(120)
        let whole = SessionState(events)
        for cut in 0...events.count {
            var state = SessionState(events.prefix(cut))
            #expect(state.nextSequence == UInt64(cut) + 1)
            for event in events.dropFirst(cut) { state.apply(event) }
            #expect(state == whole)
        }
    }

    @Test(arguments: 0..<40 as Range<UInt64>)
    func `delivering events twice, late ones included, changes nothing but the count of what was ignored`(seed: UInt64)
    {
        var log = RandomLog(seed: seed)
        let events = log.events(120)
        var random = SeededRandom(seed: seed &+ 1000)
        var state = SessionState()
        var repeated = 0
        for (index, event) in events.enumerated() {
            state.apply(event)
            for _ in 0..<Int.random(in: 0..<3, using: &random) {
                state.apply(events[Int.random(in: 0...index, using: &random)])
                repeated += 1
            }
        }
        #expect(state.ignoredEvents == repeated)
        #expect(withoutCounts(state) == withoutCounts(SessionState(events)))
    }

    @Test(arguments: 0..<20 as Range<UInt64>)
    func `what a fenced owner still writes changes nothing`(seed: UInt64) {
        var log = RandomLog(seed: seed)
        var state = SessionState(log.events(60))
        state.apply(event(fence: state.fence + 10, state.nextSequence, .claimed(.with { $0.worker = "new" })))
        let before = withoutCounts(state)
        state.apply(
            event(
                fence: state.fence - 1, state.nextSequence,
                .userTurn(
                    .with {
                        $0.turn = 999; $0.text = "stale"
                    })))
        #expect(withoutCounts(state) == before)
        #expect(state.ignoredEvents == 1)
    }

    @Test(arguments: 0..<20 as Range<UInt64>)
    func `events with bodies from a newer version are counted, and survive a round trip byte for byte`(seed: UInt64)
        throws
    {
        var log = RandomLog(seed: seed)
        var events = log.events(30)
        let newer = newerEvent(fence: 1 << 40, sequence: events.count + 1)
        let parsed = try Event(stored: newer)
        #expect(parsed.body == nil)
        #expect(parsed.isUnknown)
        #expect(parsed.id == Event.ID(fence: 1 << 40, sequence: UInt64(events.count) + 1))
        #expect(try Event(stored: parsed.stored()) == parsed)
        #expect(try containsSubsequence(parsed.stored(), Data("from the future".utf8)))
        events.append(parsed)
        let state = SessionState(events)
        #expect(state.unknownEvents == 1)
        #expect(state.nextSequence == UInt64(events.count) + 1)
    }

    @Test func `bytes that are no event are refused`() {
        let error = #expect(throws: SessionLogError.self) { try Event(stored: Data([0xFF, 0xFF, 0xFF])) }
        #expect(error?.code == .malformed)
    }

    @Test func `the reply that was being spoken is the open one until it is heard or cut short`() {
        var state = SessionState()
        var writer = Writer()
        state.apply(
            writer.event(
                .userTurn(
                    .with {
                        $0.turn = 1; $0.text = "Hello?"
                    })))
        state.apply(
            writer.event(
                .replyStarted(
                    .with {
                        $0.reply = 1; $0.turn = 1
                    })))
        state.apply(
            writer.event(
                .sentence(
                    .with {
                        $0.reply = 1; $0.index = 0; $0.text = "Hi."
                    })))
        state.apply(
            writer.event(
                .sentence(
                    .with {
                        $0.reply = 1; $0.index = 1; $0.text = "How are you?"; $0.last = true
                    })))
        state.apply(
            writer.event(
                .sentenceAudio(
                    .with {
                        $0.reply = 1; $0.index = 0; $0.samples = 8000
                    })))
        #expect(state.openReply?.sentences.map(\.text) == ["Hi.", "How are you?"])
        #expect(state.openReply?.isComplete == true)
        #expect(state.openReply?.sentences.first?.audio?.samples == 8000)
        #expect(state.openReply?.textForContext == "Hi. How are you?")
        state.apply(
            writer.event(
                .heard(
                    .with {
                        $0.reply = 1; $0.text = "Hi. How"; $0.interrupted = true
                    })))
        #expect(state.openReply == nil)
        #expect(state.reply(1)?.textForContext == "Hi. How")
        let lines = Transcript(state).lines
        #expect(lines.map(\.text) == ["Hello?", "Hi. How"])
        #expect(lines.map(\.interrupted) == [false, true])
    }

    @Test func `a tool call is pending until it has an outcome`() {
        var state = SessionState()
        var writer = Writer()
        state.apply(
            writer.event(
                .toolCalled(
                    .with {
                        $0.call = "c1"; $0.name = "book"
                    })))
        state.apply(
            writer.event(
                .toolCalled(
                    .with {
                        $0.call = "c2"; $0.name = "look_up"
                    })))
        state.apply(
            writer.event(
                .toolReturned(
                    .with {
                        $0.call = "c2"; $0.outcome = .toolSucceeded; $0.content = "42"
                    })))
        #expect(state.pendingToolCalls.map(\.id) == ["c1"])
        #expect(state.toolCalls.last?.outcome == .succeeded)
        #expect(state.toolCalls.last?.result == "42")
    }

    @Test func `an old attachment's end does not detach the newer one`() {
        var state = SessionState()
        var writer = Writer()
        state.apply(
            writer.event(
                .attached(
                    .with {
                        $0.attachment = "a1"; $0.handshake = Data([1])
                    }), leg: 1))
        state.apply(
            writer.event(
                .attached(
                    .with {
                        $0.attachment = "a2"; $0.handshake = Data([2])
                    }), leg: 1))
        state.apply(writer.event(.detached(.with { $0.attachment = "a1" }), leg: 1))
        #expect(state.legs[1]?.current?.attachment == "a2")
        state.apply(
            writer.event(
                .detached(
                    .with {
                        $0.attachment = "a2"; $0.reason = "gone"
                    }), leg: 1))
        #expect(state.legs[1]?.current == nil)
        #expect(state.legs[1]?.latest?.handshake == Data([2]))
        #expect(state.legs[1]?.detachedBecause == "gone")
    }

    @Test func `a correction of a slot replaces it and keeps its words`() {
        var state = SessionState()
        var writer = Writer()
        for (value, words) in [("Smith", "my name is Smith"), ("Smyth", "no, Smith with a y")] {
            state.apply(
                writer.event(
                    .slotFilled(
                        .with {
                            $0.record = "lead"; $0.slot = "name"; $0.value = value; $0.words = words
                        })))
        }
        #expect(state.slots(of: "lead")["name"]?.value == "Smyth")
        #expect(state.slots(of: "lead")["name"]?.words == "no, Smith with a y")
        #expect(state.slots(of: "other").isEmpty)
    }

    // MARK: Helpers

    private struct Writer {
        var sequence: UInt64 = 0

        mutating func event(_ body: Event.OneOf_Body, leg: UInt32 = 0) -> Event {
            sequence += 1
            return .with {
                $0.fence = 1; $0.sequence = sequence; $0.leg = leg; $0.body = body
            }
        }
    }

    private func event(fence: UInt64, _ sequence: UInt64, _ body: Event.OneOf_Body) -> Event {
        .with {
            $0.fence = fence; $0.sequence = sequence; $0.body = body
        }
    }

    /// The state's fields that the log decides, as text: everything but how often something was ignored.
    private func withoutCounts(_ state: SessionState) -> String {
        var lines = [
            "\(state.fence) \(state.nextSequence) \(state.position) \(state.owner) \(state.isClosed) \(state.dtmf)"
        ]
        lines.append("\(state.history)")
        lines += state.legs.sorted { $0.key < $1.key }.map { "\($0)" }
        lines += state.slots.map { "\($0.key.slot)=\($0.value.value)" }.sorted()
        lines += state.usage.map { "\($0.key.kind) \($0.value)" }.sorted()
        lines.append("\(state.handOffs.count) \(state.failures.count) \(state.commands.count) \(state.unknownEvents)")
        return lines.joined(separator: "\n")
    }

    /// An event with the unknown body field 900: wire type 2.
    private func newerEvent(fence: UInt64, sequence: Int) -> Data {
        let known = Event.with {
            $0.fence = fence; $0.sequence = UInt64(sequence); $0.version = 7
        }
        let text = Data("from the future".utf8)
        let tag = 900 << 3 | 2
        let field = Data([UInt8(tag & 0x7F | 0x80), UInt8(tag >> 7), UInt8(text.count)]) + text
        return ((try? known.serializedData()) ?? Data()) + field
    }

    private func containsSubsequence(_ data: Data, _ part: Data) -> Bool {
        data.range(of: part) != nil
    }
}

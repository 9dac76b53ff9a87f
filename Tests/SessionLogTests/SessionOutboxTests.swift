import Foundation
import Resilience
import SwiftProtobuf
import Testing

@testable import SessionLog

struct SessionOutboxTests {
    private func bytes(_ size: Int = 10) -> Data { Data(repeating: 7, count: size) }

    private func outbox(_ limits: SessionOutbox.Limits = .init()) -> SessionOutbox {
        SessionOutbox(fence: 5, nextSequence: 1, limits: limits)
    }

    private func answer(_ outcome: StoreAppendOutcome, next: UInt64, detail: String = "") -> StoreAppended {
        .with {
            $0.outcome = outcome
            $0.nextSequence = next
            $0.fence = 5
            $0.detail = detail
        }
    }

    @Test func `telemetry does not ask to be sent, and goes with what does`() {
        var outbox = outbox()
        #expect(outbox.append(bytes(), isTelemetry: true, now: 0) == [])
        #expect(outbox.append(bytes(), isTelemetry: false, now: 0) == [.send])
        #expect(outbox.takeUnsent() == .init(firstSequence: 1, events: [bytes(), bytes()]))
    }

    @Test func `what was appended goes out once, and is settled when it is stored`() {
        var outbox = outbox()
        for _ in 0..<3 { #expect(outbox.append(bytes(), isTelemetry: false, now: 0) == [.send]) }
        #expect(outbox.takeUnsent() == .init(firstSequence: 1, events: [bytes(), bytes(), bytes()]))
        #expect(outbox.takeUnsent() == nil)
        #expect(outbox.outcome(of: 2) == nil)
        #expect(outbox.answered(answer(.stored, next: 3), now: 1) == [.settled(through: 2)])
        #expect(outbox.outcome(of: 2) == .stored)
        #expect(outbox.outcome(of: 3) == nil)
        #expect(outbox.answered(answer(.stored, next: 3), now: 1) == [])
    }

    @Test func `a broken stream's unanswered events go out again`() {
        var outbox = outbox()
        for _ in 0..<3 { _ = outbox.append(bytes(), isTelemetry: false, now: 0) }
        _ = outbox.takeUnsent()
        _ = outbox.answered(answer(.stored, next: 2), now: 1)
        outbox.streamBroke()
        #expect(outbox.takeUnsent()?.firstSequence == 2)
    }

    @Test func `a store that is behind gets stored events again, and nobody is told twice`() {
        var outbox = outbox()
        for _ in 0..<5 { _ = outbox.append(bytes(), isTelemetry: false, now: 0) }
        _ = outbox.takeUnsent()
        #expect(outbox.answered(answer(.stored, next: 6), now: 100) == [.settled(through: 5)])
        _ = outbox.append(bytes(), isTelemetry: false, now: 200)
        _ = outbox.takeUnsent()
        #expect(outbox.answered(answer(.behind, next: 3), now: 300) == [.send])
        #expect(outbox.takeUnsent() == .init(firstSequence: 3, events: Array(repeating: bytes(), count: 4)))
        #expect(outbox.answered(answer(.stored, next: 6), now: 400) == [])
        #expect(outbox.answered(answer(.stored, next: 7), now: 400) == [.settled(through: 6)])
    }

    @Test func `what was loaded at the claim is repeated too`() {
        var outbox = SessionOutbox(fence: 5, nextSequence: 4, loaded: [Data([2]), Data([3])])
        _ = outbox.append(Data([4]), isTelemetry: false, now: 0)
        _ = outbox.takeUnsent()
        #expect(outbox.answered(answer(.behind, next: 2), now: 0) == [.send])
        #expect(outbox.takeUnsent() == .init(firstSequence: 2, events: [Data([2]), Data([3]), Data([4])]))
    }

    @Test func `what is no longer kept is sent as dropped, so that the numbers stay`() {
        var outbox = outbox()
        for _ in 0..<3 { _ = outbox.append(bytes(), isTelemetry: false, now: 0) }
        _ = outbox.takeUnsent()
        _ = outbox.answered(answer(.stored, next: 4), now: 0)
        _ = outbox.confirmed(at: 10_000)
        _ = outbox.append(bytes(), isTelemetry: false, now: 10_000)
        _ = outbox.takeUnsent()
        _ = outbox.answered(answer(.behind, next: 2), now: 10_000)
        #expect(outbox.takeUnsent() == .init(firstSequence: 2, events: [Data(), Data(), bytes()]))
    }

    @Test func `events are kept until the store has them ten seconds after it stored them, however long it was away`() {
        var outbox = outbox()
        for _ in 0..<2 { _ = outbox.append(bytes(), isTelemetry: false, now: 0) }
        _ = outbox.takeUnsent()
        _ = outbox.answered(answer(.stored, next: 3), now: 1000)
        _ = outbox.confirmed(at: 10_999)
        // Redis is away for half a minute, and comes back without its last seconds.
        _ = outbox.append(bytes(20), isTelemetry: false, now: 40_000)
        #expect(outbox.answered(answer(.behind, next: 1), now: 41_000) == [.send])
        #expect(outbox.confirmed(at: 41_000) == [])
        outbox.streamBroke()
        #expect(outbox.takeUnsent()?.events == [bytes(), bytes(), bytes(20)])
        #expect(outbox.answered(answer(.stored, next: 4), now: 42_000) == [.settled(through: 3)])
        #expect(outbox.waiting == 0)
    }

    @Test func `a log whose beginning is not kept cannot be restored`() {
        var outbox = SessionOutbox(fence: 5, nextSequence: 4, loaded: [Data([2]), Data([3])])
        #expect(outbox.answered(answer(.behind, next: 1), now: 0) == [.lost(.gone), .released])
        var whole = SessionOutbox(fence: 5, nextSequence: 3, loaded: [Data([1]), Data([2])])
        #expect(whole.answered(answer(.behind, next: 1), now: 0) == [.send])
        #expect(whole.takeUnsent() == .init(firstSequence: 1, events: [Data([1]), Data([2])]))
    }

    @Test func `a closed session lingers until the store has its end for good, and repeats it if not`() {
        var outbox = outbox()
        for _ in 0..<2 { _ = outbox.append(bytes(), isTelemetry: false, now: 0) }
        _ = outbox.close()
        _ = outbox.takeUnsent()
        #expect(outbox.answered(answer(.stored, next: 3), now: 1000) == [.settled(through: 2), .finished])
        #expect(outbox.confirmed(at: 2999) == [])
        #expect(outbox.answered(answer(.behind, next: 2), now: 3500) == [.send])
        #expect(outbox.confirmed(at: 3500) == [])
        #expect(outbox.takeUnsent() == .init(firstSequence: 2, events: [bytes()]))
        #expect(outbox.answered(answer(.stored, next: 3), now: 3600) == [])
        #expect(outbox.confirmed(at: 5599) == [])
        #expect(outbox.confirmed(at: 5600) == [.released])
        #expect(outbox.takeUnsent() == nil)
    }

    @Test func `a closed session that somebody else has now is released, and nobody is told of a loss`() {
        var outbox = outbox()
        _ = outbox.append(bytes(), isTelemetry: false, now: 0)
        _ = outbox.close()
        _ = outbox.takeUnsent()
        _ = outbox.answered(answer(.stored, next: 2), now: 0)
        #expect(outbox.answered(answer(.behind, next: 1), now: 100) == [.send])
        #expect(outbox.answered(answer(.fenced, next: 0), now: 200) == [.released])
        #expect(outbox.outcome(of: 1) == .stored)
    }

    @Test func `without room telemetry goes, the oldest first, and turns stay`() {
        var limits = SessionOutbox.Limits()
        limits.softBytes = 100
        var outbox = outbox(limits)
        _ = outbox.append(bytes(40), isTelemetry: true, now: 0)
        _ = outbox.append(bytes(40), isTelemetry: true, now: 0)
        _ = outbox.append(bytes(50), isTelemetry: false, now: 0)
        #expect(outbox.outcome(of: 1) == .dropped)
        #expect(outbox.outcome(of: 2) == nil)
        _ = outbox.append(bytes(60), isTelemetry: false, now: 0)
        _ = outbox.append(bytes(60), isTelemetry: true, now: 0)
        #expect(outbox.outcome(of: 5) == .dropped)
        #expect(outbox.takeUnsent()?.events == [Data(), Data(), bytes(50), bytes(60), Data()])
    }

    @Test func `a session whose turns alone exceed the hard bound is given up`() {
        var limits = SessionOutbox.Limits()
        limits.softBytes = 10
        limits.hardBytes = 100
        var outbox = outbox(limits)
        #expect(outbox.append(bytes(90), isTelemetry: false, now: 0) == [.send])
        #expect(outbox.append(bytes(20), isTelemetry: false, now: 0) == [.lost(.overflow), .released])
        #expect(outbox.outcome(of: 1) == .lost)
    }

    @Test func `refused telemetry is dropped and not tried again for a while`() {
        var outbox = outbox()
        _ = outbox.append(bytes(), isTelemetry: false, now: 0)
        _ = outbox.append(bytes(), isTelemetry: true, now: 0)
        _ = outbox.takeUnsent()
        let refusal = answer(.refused, next: 3, detail: RefusalDetail.telemetry)
        #expect(outbox.answered(refusal, now: 0) == [.settled(through: 2)])
        #expect(outbox.outcome(of: 1) == .stored)
        #expect(outbox.outcome(of: 2) == .dropped)
        _ = outbox.append(bytes(), isTelemetry: true, now: 9_999)
        #expect(outbox.outcome(of: 3) == .dropped)
        _ = outbox.append(bytes(), isTelemetry: true, now: 10_000)
        #expect(outbox.outcome(of: 4) == nil)
    }

    @Test func `an event that the store cannot read is dropped, and the rest goes again`() {
        var outbox = outbox()
        for index in 1...3 { _ = outbox.append(Data([UInt8(index)]), isTelemetry: false, now: 0) }
        _ = outbox.takeUnsent()
        let refusal = answer(.refused, next: 2, detail: RefusalDetail.malformed)
        #expect(outbox.answered(refusal, now: 0) == [.settled(through: 1), .send])
        #expect(outbox.takeUnsent() == .init(firstSequence: 2, events: [Data(), Data([3])]))
        #expect(outbox.outcome(of: 2) == .dropped)
    }

    @Test func `while Redis is away events wait and go out later`() {
        var outbox = outbox()
        _ = outbox.append(bytes(), isTelemetry: false, now: 0)
        _ = outbox.takeUnsent()
        #expect(outbox.answered(answer(.unavailable, next: 0), now: 0) == [.sendLater])
        #expect(outbox.takeUnsent()?.firstSequence == 1)
    }

    @Test(arguments: [StoreAppendOutcome.fenced, .gone])
    func `a session that is ours no more is lost with everything that was not stored`(outcome: StoreAppendOutcome) {
        var outbox = outbox()
        _ = outbox.append(bytes(), isTelemetry: false, now: 0)
        _ = outbox.append(bytes(), isTelemetry: false, now: 0)
        _ = outbox.takeUnsent()
        _ = outbox.answered(answer(.stored, next: 2), now: 0)
        #expect(
            outbox.answered(answer(outcome, next: 0), now: 0) == [.lost(outcome == .gone ? .gone : .fenced), .released])
        #expect(outbox.outcome(of: 1) == .stored)
        #expect(outbox.outcome(of: 2) == .lost)
        #expect(outbox.append(bytes(), isTelemetry: false, now: 0) == [])
        #expect(outbox.takeUnsent() == nil)
    }

    @Test func `a closed session is finished when its last event is stored, and cannot be lost after that`() {
        var outbox = outbox()
        _ = outbox.append(bytes(), isTelemetry: false, now: 0)
        #expect(outbox.close() == [])
        _ = outbox.takeUnsent()
        #expect(outbox.answered(answer(.stored, next: 2), now: 0) == [.settled(through: 1), .finished])
        #expect(outbox.told("closed") == [])
    }

    @Test func `messages to the store are bounded in events and bytes`() {
        var limits = SessionOutbox.Limits()
        limits.eventsPerMessage = 3
        limits.bytesPerMessage = 25
        var outbox = outbox(limits)
        for size in [10, 10, 10, 100, 1, 1, 1, 1] { _ = outbox.append(bytes(size), isTelemetry: false, now: 0) }
        var counts: [Int] = []
        while let message = outbox.takeUnsent() { counts.append(message.events.count) }
        #expect(counts == [2, 1, 1, 3, 1])
    }

    /// A store that loses its tail, answers late, refuses and breaks off at random ends up with every turn exactly where it belongs.
    @Test(arguments: 0..<200 as Range<UInt64>)
    func `whatever the store does, the log ends up complete and in order`(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var outbox = outbox()
        var store = ModelStore()
        var expected: [UInt64: Data] = [:]
        var inFlight: [SessionOutbox.Message] = []
        for step in 0..<400 {
            let now = Int64(step)
            switch Int.random(in: 0..<12, using: &random) {
            case 0...3:
                let event = Data([UInt8(step & 0xFF), UInt8(step >> 8)])
                expected[outbox.nextSequence] = event
                _ = outbox.append(event, isTelemetry: false, now: now)
            case 4...6:
                if let message = outbox.takeUnsent() { inFlight.append(message) }
            case 7...9:
                if !inFlight.isEmpty { _ = outbox.answered(store.take(inFlight.removeFirst()), now: now) }
            case 10:
                inFlight.removeLast(Int.random(in: 0...inFlight.count, using: &random))
                for message in inFlight where Bool.random(using: &random) { _ = store.take(message) }
                inFlight = []
                outbox.streamBroke()
            default:
                store.loseTail(Int.random(in: 0..<3, using: &random))
            }
        }
        for _ in 0..<1000 {
            if let message = outbox.takeUnsent() { inFlight.append(message) }
            if inFlight.isEmpty { break }
            _ = outbox.answered(store.take(inFlight.removeFirst()), now: 400)
        }
        // What the store lost after its last word is only noticed with the next event.
        expected[outbox.nextSequence] = Data([1])
        _ = outbox.append(Data([1]), isTelemetry: false, now: 400)
        while let message = outbox.takeUnsent() { _ = outbox.answered(store.take(message), now: 400) }
        #expect(store.events == expected)
        #expect(outbox.waiting == 0)
    }

    private struct ModelStore {
        var events: [UInt64: Data] = [:]
        var next: UInt64 = 1

        mutating func take(_ message: SessionOutbox.Message) -> StoreAppended {
            guard message.firstSequence <= next else {
                return .with {
                    $0.outcome = .behind; $0.nextSequence = next
                }
            }
            for (offset, event) in message.events.enumerated() where message.firstSequence + UInt64(offset) == next {
                events[next] = event
                next += 1
            }
            return .with {
                $0.outcome = .stored; $0.nextSequence = next
            }
        }

        mutating func loseTail(_ count: Int) {
            for _ in 0..<count where next > 1 {
                next -= 1
                events[next] = nil
            }
        }
    }
}

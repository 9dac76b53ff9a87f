import Foundation
import SessionLog
import SwiftProtobuf
import Testing

@testable import SessionStoreService

struct EventIntakeTests {
    private let session = "eu1-03-20261121-00000000000000000000000000"

    private func event(_ sequence: UInt64, fence: UInt64 = 9, _ body: Event.OneOf_Body) -> Event {
        .with {
            $0.fence = fence
            $0.sequence = sequence
            $0.version = 1
            $0.body = body
        }
    }

    private func append(_ events: [Data], first: UInt64 = 1) -> StoreAppend {
        .with {
            $0.tenant = "t"
            $0.session = session
            $0.fence = 9
            $0.firstSequence = first
            $0.events = events
        }
    }

    private func prepare(
        _ events: [Data], first: UInt64 = 1, isShortOfMemory: Bool = false,
        _ change: (inout StoreSettings) -> Void = { _ in }
    ) throws -> EventIntake.Prepared {
        var settings = StoreSettings()
        change(&settings)
        return try #require(
            EventIntake(settings: settings).prepare(append(events, first: first), isShortOfMemory: isShortOfMemory))
    }

    @Test func `events go through byte for byte, unknown ones too`() throws {
        var newer = try event(2, .dtmf(.init())).serializedData()
        newer.append(contentsOf: [0xA2, 0x38, 0x01, 0x41])
        let events = [try event(1, .userTurn(.with { $0.text = "Hi" })).serializedData(), newer]
        let prepared = try prepare(events)
        #expect(prepared.entries.map(\.bytes) == events)
        #expect(prepared.malformed == nil)
        #expect(!prepared.closes)
    }

    @Test func `an event that is none, or says another sequence or a higher fence, ends the append before it`() throws {
        let good = try event(1, .dtmf(.init())).serializedData()
        for bad in [
            Data([0xFF]), try event(7, .dtmf(.init())).serializedData(),
            try event(2, fence: 10, .dtmf(.init())).serializedData(),
            try event(2, .dtmf(.with { $0.digits = String(repeating: "1", count: 300_000) })).serializedData(),
        ] {
            let prepared = try prepare([good, bad, good])
            #expect(prepared.entries.count == 1)
            #expect(prepared.malformed == 2)
            let answer = prepared.answer(.stored, next: 2)
            #expect(answer.outcome == .refused)
            #expect(answer.nextSequence == 2)
            #expect(answer.detail == RefusalDetail.malformed)
            #expect(prepared.answer(.fenced, next: 0).outcome == .fenced)
        }
    }

    @Test func `when memory is short telemetry is left out and turns are not`() throws {
        let events = [
            try event(1, .usage(.init())).serializedData(),
            try event(2, .userTurn(.with { $0.text = "Hi" })).serializedData(),
        ]
        let prepared = try prepare(events, isShortOfMemory: true)
        #expect(prepared.entries.map(\.bytes) == [Data(), events[1]])
        let answer = prepared.answer(.stored, next: 3)
        #expect((answer.outcome, answer.nextSequence, answer.detail) == (.refused, 3, RefusalDetail.telemetry))
    }

    @Test func `dropped events belong to the fence of what follows them`() throws {
        let old = try event(3, fence: 5, .dtmf(.init())).serializedData()
        let prepared = try prepare([Data(), Data(), old, Data()])
        #expect(prepared.entries.map(\.fence) == [5, 5, 5, 9])
    }

    @Test func `closes and side effects wait for a replica, the rest does not`() throws {
        #expect(try prepare([event(1, .closed(.init())).serializedData()]).needsReplica)
        #expect(try prepare([event(1, .closed(.init())).serializedData()]).closes)
        #expect(try prepare([event(1, .toolCalled(.with { $0.sideEffects = true })).serializedData()]).needsReplica)
        #expect(try !prepare([event(1, .toolCalled(.init())).serializedData()]).needsReplica)
    }

    @Test func `a log that begins says what its header is made of, if it is this session's and this tenant's`() throws {
        func opening(_ session: String, _ tenant: String, at sequence: UInt64 = 1) throws -> EventIntake.Prepared
            .Opening?
        {
            let opened = event(
                sequence,
                .opened(
                    .with {
                        $0.session = session
                        $0.tenant = tenant
                        $0.agentHash = "abc"
                        $0.backend = "pipecat"
                    }))
            return try prepare([opened.serializedData()], first: sequence).opening
        }
        #expect(try opening(session, "t") == .init(agent: "abc", backend: "pipecat"))
        #expect(try opening(session, "thief") == nil)
        #expect(try opening("eu1-03-20261121-00000000000000000000000001", "t") == nil)
        #expect(try opening(session, "t", at: 2) == nil)
        #expect(try prepare([event(1, .dtmf(.init())).serializedData()]).opening == nil)
    }

    @Test func `redaction changes what is stored, not who wrote it`() throws {
        let said = event(1, .userTurn(.with { $0.text = "my card is 4111 1111 1111 1111, call 030 123456" }))
        let prepared = try prepare([said.serializedData()]) { $0.redaction = DigitRedaction() }
        let stored = try Event(stored: prepared.entries[0].bytes)
        #expect(stored.userTurn.text == "my card is **** **** **** 1111, call 030 123456")
        #expect(stored.id == said.id)
    }

    @Test func `what a session's backend wants taken out is taken out beside the store's own`() throws {
        let said = try event(1, .userTurn(.with { $0.text = "my card is 4111 1111 1111 1111" })).serializedData()
        var append = append([said])
        func stored(_ redaction: String) throws -> String {
            append.redaction = redaction
            let prepared = try #require(EventIntake(settings: StoreSettings()).prepare(append, isShortOfMemory: false))
            return try Event(stored: prepared.entries[0].bytes).userTurn.text
        }
        #expect(try stored("digits") == "my card is **** **** **** 1111")
        #expect(try stored("") == "my card is 4111 1111 1111 1111")
        #expect(try stored("unknown") == "my card is 4111 1111 1111 1111")
    }
}

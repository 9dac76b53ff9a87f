import Foundation
import RedisClient
import SessionLog
import SwiftProtobuf

@testable import ArchiverService

/// Made-up conversations, the same ones every time.
struct Conversations {
    /// Every event, in the order of the logs, sessions interleaved.
    let events: [(session: SessionID, tenant: String, event: Event)]

    /// Sessions are opened around the end of a month, so that their days lie in two partitions, and each is taken over once.
    /// The first `forgetful` are kept for 7 days.
    init(sessions: Int, turns: Int, startingAt seconds: Int64 = Self.endOfOctober, partitions: Int = 1, forgetful: Int = 0) throws {
        var random = FixedRandom()
        var logs: [[(SessionID, String, Event)]] = []
        for number in 0..<sessions {
            let opened = seconds + Int64(number * 2 - sessions) * 10
            let id = try SessionID(region: "test1", partition: number % partitions, openedAt: opened, using: &random)
            logs.append(Self.log(id, number: number, turns: turns, openedAt: opened, retentionDays: number < forgetful ? 7 : 0).map { (id, "acme", $0) })
        }
        let longest = logs.map(\.count).max() ?? 0
        events = (0..<longest).flatMap { index in logs.compactMap { index < $0.count ? $0[index] : nil } }
    }

    /// 2026-11-01 00:00 UTC.
    static let endOfOctober: Int64 = 1_793_491_200

    /// What a session store writes into the archive streams.
    func entries() throws -> [ArchiveEntry] {
        try events.enumerated().map { index, item in
            let fields = Dictionary(
                uniqueKeysWithValues: try Self.fields(item.session, item.tenant, item.event).map {
                    ($0, RESPValue.bytes($1))
                })
            return ArchiveEntry(
                stream: RedisKeys.archive(partition: item.session.partition), id: "1-\(index + 1)", fields: fields)
        }
    }

    static func fields(_ session: SessionID, _ tenant: String, _ event: Event) throws -> [(String, [UInt8])] {
        [
            ("session", Array(session.description.utf8)), ("tenant", Array(tenant.utf8)),
            ("fence", Array("\(event.fence)".utf8)), ("sequence", Array("\(event.sequence)".utf8)),
            ("event", Array(try event.stored())),
        ]
    }

    private static func log(_ id: SessionID, number: Int, turns: Int, openedAt: Int64, retentionDays: UInt32) -> [Event] {
        var log = LogBuilder(openedAt: openedAt)
        log.add(
            .opened(
                .with {
                    $0.session = id.description
                    $0.tenant = "acme"
                    $0.region = "test1"
                    $0.agent = "lead-qualification"
                    $0.agentHash = String(repeating: "a", count: 64)
                    $0.backend = "pipecat"
                    $0.retentionDays = retentionDays
                    $0.direction = "inbound"
                    $0.parameters = ["source": "web\0site", "number": "\(number)"]
                }))
        log.add(.claimed(.with { $0.worker = "worker-a" }))
        for turn in 1...turns {
            if turn == 2 {
                // Taken over in mid-conversation: the fence rises, the numbers go on.
                log.fence += 1000
                log.add(
                    .claimed(
                        .with {
                            $0.worker = "worker-b"; $0.previousFence = log.fence - 1000
                        }))
            }
            log.addTurn(UInt32(turn))
        }
        log.add(
            .closed(
                .with {
                    $0.reason = "caller_left"; $0.by = "caller"
                }))
        return log.events
    }
}

/// Writes a log as an owner does.
struct LogBuilder {
    private(set) var events: [Event] = []
    var fence: UInt64
    private var position: Int64 = 0
    private let openedAt: Int64

    init(openedAt: Int64) {
        self.openedAt = openedAt
        fence = UInt64(openedAt * 1000)
    }

    mutating func add(_ body: Event.OneOf_Body) {
        position += 8000
        events.append(
            .with {
                $0.fence = fence
                $0.sequence = UInt64(events.count + 1)
                $0.version = 1
                $0.wallClockMs = openedAt * 1000 + position / 16
                $0.position = position
                $0.leg = 1
                $0.body = body
            })
    }

    mutating func addTurn(_ turn: UInt32) {
        let slots = ["name", "company", "need", "budget", "timeline"]
        add(
            .userTurn(
                .with {
                    $0.turn = turn
                    $0.text = "turn \(turn), said by the caller"
                    $0.speechStart = position
                    $0.speechEnd = position + 4000
                    $0.confidence = 0.75
                    $0.endedBy = "silence"
                    $0.speechToText = "deepgram/nova-3"
                }))
        add(
            .replyStarted(
                .with {
                    $0.reply = turn; $0.turn = turn; $0.languageModel = "openai/gpt-4o-mini"; $0.voice = "slt"
                }))
        add(
            .sentence(
                .with {
                    $0.reply = turn; $0.index = 0; $0.text = "First sentence."
                }))
        add(
            .sentenceAudio(
                .with {
                    $0.reply = turn; $0.index = 0; $0.samples = 16_000
                }))
        add(
            .heard(
                .with {
                    $0.reply = turn; $0.samples = 8000; $0.text = "First"
                }))
        add(
            .sentence(
                .with {
                    $0.reply = turn; $0.index = 1; $0.text = "Second sentence."; $0.last = true
                }))
        add(
            .toolCalled(
                .with {
                    $0.call = "call-\(turn)"; $0.name = "record_lead"; $0.arguments = "{}"; $0.reply = turn;
                    $0.sideEffects = true
                }))
        add(
            .toolReturned(
                .with {
                    $0.call = "call-\(turn)"; $0.outcome = .toolSucceeded; $0.content = "ok"; $0.durationMs = 12
                }))
        add(
            .slotFilled(
                .with {
                    $0.record = "lead"
                    $0.slot = slots[Int(turn) % slots.count]
                    $0.value = "value \(turn)"
                    $0.words = "words \(turn)"
                    $0.turn = turn
                    $0.source = "tool"
                }))
        add(
            .heard(
                .with {
                    $0.reply = turn
                    $0.samples = 24_000
                    $0.text = "First sentence. Second"
                    $0.interrupted = turn.isMultiple(of: 2)
                    $0.complete = !turn.isMultiple(of: 2)
                }))
        add(
            .latency(
                .with {
                    $0.turn = turn
                    $0.reply = turn
                    $0.parts = ["end_of_turn": 200, "first_token": 350, "first_frame": 450, "final_transcript": -1]
                }))
        add(
            .usage(
                .with {
                    $0.kind = "llm"; $0.provider = "openai/gpt-4o-mini"; $0.inputTokens = 1000; $0.outputTokens = 50
                }))
    }
}

/// The same numbers in every run.
struct FixedRandom: RandomNumberGenerator {
    private var state: UInt64 = 0x9E37_79B9_7F4A_7C15

    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state ^ (state >> 29)
    }
}

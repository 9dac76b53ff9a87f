import Audio
import Resilience
import SessionLog
import SwiftProtobuf

/// Random but plausible logs: takeovers, duplicates of numbers, events of every kind.
struct RandomLog {
    private(set) var random: SeededRandom
    private var fence: UInt64 = 1
    private var sequence: UInt64 = 0
    private var position: Int64 = 0
    private var turn: UInt32 = 0
    private var reply: UInt32 = 0
    private var call = 0

    init(seed: UInt64) {
        random = SeededRandom(seed: seed)
    }

    mutating func events(_ count: Int) -> [Event] {
        (0..<count).map { _ in next() }
    }

    mutating func next() -> Event {
        if sequence > 0, Int.random(in: 0..<20, using: &random) == 0 {
            fence += UInt64.random(in: 1...1_000_000, using: &random)
        }
        sequence += 1
        position += Int64.random(in: 0..<32_000, using: &random)
        return Event.with {
            $0.fence = fence
            $0.sequence = sequence
            $0.version = Event.currentVersion
            $0.position = position
            $0.leg = UInt32.random(in: 0...2, using: &random)
            $0.body =
                sequence == 1
                ? .opened(
                    .with {
                        $0.tenant = "t"; $0.agentHash = "h"
                    }) : body()
        }
    }

    private mutating func number(_ upper: Int) -> Int { Int.random(in: 0..<upper, using: &random) }
    private mutating func word() -> String { ["so", "well", "näive", "", "你好", "a\u{0}b"][number(6)] }

    private mutating func body() -> Event.OneOf_Body {
        switch number(20) {
        case 0:
            .claimed(
                .with {
                    $0.worker = word(); $0.previousFence = fence
                })
        case 1:
            .attached(
                .with {
                    $0.attachment = "a\(number(4))"; $0.handshake = .init([1, 2, 3])
                })
        case 2:
            .detached(
                .with {
                    $0.attachment = "a\(number(4))"; $0.reason = word()
                })
        case 3, 4: userTurn()
        case 5: .userPartial(.with { $0.text = word() })
        case 6, 7: replyStarted()
        case 8, 9:
            .sentence(
                .with {
                    $0.reply = someReply(); $0.index = UInt32(number(4)); $0.text = word(); $0.last = number(3) == 0
                })
        case 10:
            .sentenceAudio(
                .with {
                    $0.reply = someReply(); $0.index = UInt32(number(4)); $0.samples = 1600
                })
        case 11:
            .heard(
                .with {
                    $0.reply = someReply(); $0.text = word(); $0.interrupted = number(2) == 0;
                    $0.complete = number(2) == 0
                })
        case 12: toolCalled()
        case 13:
            .toolReturned(
                .with {
                    $0.call = "c\(number(max(1, call)))"; $0.outcome = .toolFailed
                })
        case 14:
            .slotFilled(
                .with {
                    $0.record = "lead"; $0.slot = word(); $0.value = word()
                })
        case 15:
            .flowMoved(
                .with {
                    $0.flow = "f"; $0.node = word(); $0.memory = ["k": word()]
                })
        case 16:
            .usage(
                .with {
                    $0.kind = "llm"; $0.inputTokens = Int64.random(in: .min ... .max, using: &random)
                })
        case 17:
            .command(
                .with {
                    $0.command = "k\(number(3))"; $0.kind = "say"
                })
        case 18: .error(.with { $0.component = word() })
        default: number(4) == 0 ? .closed(.with { $0.reason = word() }) : .dtmf(.with { $0.digits = "\(number(10))" })
        }
    }

    private mutating func someReply() -> UInt32 { UInt32(number(Int(reply) + 2)) }

    private mutating func userTurn() -> Event.OneOf_Body {
        turn += 1
        return .userTurn(
            .with {
                $0.turn = turn; $0.text = word()
            })
    }

    private mutating func replyStarted() -> Event.OneOf_Body {
        reply += 1
        return .replyStarted(
            .with {
                $0.reply = reply; $0.turn = turn
            })
    }

    private mutating func toolCalled() -> Event.OneOf_Body {
        call += 1
        return .toolCalled(
            .with {
                $0.call = "c\(call)"; $0.name = word()
            })
    }
}

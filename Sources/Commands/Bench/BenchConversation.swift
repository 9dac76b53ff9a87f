import SessionLog
import SwiftProtobuf

/// What a conversation writes into its log: the events of `VoiceSession` for a question and an answer of three sentences, with their
/// texts and numbers as large as real ones, over and over.
enum BenchConversation {
    /// From one question to the next: two seconds of speech, half a second until the answer, four and a half seconds of it.
    static let turnMilliseconds = 7_000
    /// When each event of a turn is written, in milliseconds from the end of the question.
    static let offsets = [0, 0, 350, 600, 700, 720, 900, 1_400, 2_000, 2_600, 2_610, 6_000]

    static var description: String {
        String(offsets.count)
            + " events a turn, a turn every \(turnMilliseconds / 1_000) s: \(offsets.count * 60_000 / turnMilliseconds) events per call minute"
    }

    private static let sentences = [
        "Thank you, and which company are you calling from today?",
        "I ask because our offers depend on the size of your team.",
        "You can also tell me the number of desks.",
    ]

    /// The event at a place of `offsets`, of a turn counted from 1.
    static func body(_ step: Int, turn: UInt32) -> Event.OneOf_Body {
        switch step {
        case 0: .userTurn(question(turn))
        case 1: .replyStarted(start(turn))
        case 2: sentence(0, turn)
        case 3: .usage(usage("llm", "openai/gpt-4o-mini", turn))
        case 4: audio(0, turn)
        case 5: .latency(latency(turn))
        case 6: sentence(1, turn)
        case 7: audio(1, turn)
        case 8: sentence(2, turn)
        case 9: audio(2, turn)
        case 10: .usage(usage("tts", "cartesia/sonic-3", turn))
        default: .heard(heard(turn))
        }
    }

    /// What stands before the first turn, with the session's id.
    static func beginning(_ session: String, tenant: String) -> [Event.OneOf_Body] {
        [
            .opened(
                .with {
                    $0.session = session
                    $0.tenant = tenant
                    $0.region = "bench"
                    $0.agent = "bench"
                    $0.agentHash = String(repeating: "a", count: 64)
                    $0.backend = "pipecat"
                    $0.direction = "inbound"
                }),
            .claimed(
                .with {
                    $0.worker = "bench"
                    $0.reason = "opened"
                }),
        ]
    }

    private static func question(_ turn: UInt32) -> UserTurn {
        .with {
            $0.turn = turn
            $0.text = "We need a phone system for about forty people in two offices."
            $0.speechStart = Int64(turn) * 112_000
            $0.speechEnd = Int64(turn) * 112_000 + 32_000
            $0.confidence = 0.97
            $0.language = "en-US"
            $0.endedBy = "model"
            $0.speechToText = "deepgram/nova-3"
        }
    }

    private static func start(_ turn: UInt32) -> ReplyStarted {
        .with {
            $0.reply = turn
            $0.turn = turn
            $0.languageModel = "openai/gpt-4o-mini"
            $0.voice = "cartesia/sonic-3"
        }
    }

    private static func sentence(_ index: Int, _ turn: UInt32) -> Event.OneOf_Body {
        .sentence(
            .with {
                $0.reply = turn
                $0.index = UInt32(index)
                $0.text = sentences[index]
                $0.last = index == sentences.count - 1
            })
    }

    private static func audio(_ index: Int, _ turn: UInt32) -> Event.OneOf_Body {
        let words = sentences[index].split(separator: " ")
        return .sentenceAudio(
            .with {
                $0.reply = turn
                $0.index = UInt32(index)
                $0.samples = Int64(words.count) * 4_000
                $0.marks = words.enumerated().map { place, word in
                    .with {
                        $0.word = String(word)
                        $0.start = Int64(place) * 4_000
                        $0.end = Int64(place + 1) * 4_000
                    }
                }
            })
    }

    private static func usage(_ kind: String, _ provider: String, _ turn: UInt32) -> Usage {
        .with {
            $0.kind = kind
            $0.provider = provider
            $0.inputTokens = 900 + Int64(turn)
            $0.outputTokens = 40
            $0.characters = 150
        }
    }

    private static func latency(_ turn: UInt32) -> Latency {
        .with {
            $0.turn = turn
            $0.reply = turn
            $0.parts = [
                "end_of_turn": 201, "final_transcript": 105, "llm_request": 203, "first_token": 352,
                "first_sentence": 371,
                "tts_request": 372, "first_byte": 449, "first_frame": 452,
            ]
        }
    }

    private static func heard(_ turn: UInt32) -> Heard {
        .with {
            $0.reply = turn
            $0.samples = 112_000
            $0.text = sentences.joined(separator: " ")
            $0.complete = true
        }
    }
}

/// The steps of many conversations in order of time, each conversation at a moment of its own.
struct BenchSchedule {
    struct Step {
        let conversation: Int
        /// Place in `BenchConversation.offsets`.
        let step: Int
        /// Of the turn that began in the round before.
        let isLate: Bool
    }

    /// Milliseconds that a slot lasts.
    static let slot = 2
    private static let slots = BenchConversation.turnMilliseconds / slot
    private var steps: [[Step]]
    private var next = 0

    init(conversations: Int) {
        steps = Array(repeating: [], count: Self.slots)
        for conversation in 0..<conversations {
            let phase = conversation * BenchConversation.turnMilliseconds / max(1, conversations)
            for (step, offset) in BenchConversation.offsets.enumerated() {
                let slot = (phase + offset) / Self.slot
                // Those of one conversation that fall on one moment stay in their order.
                steps[slot % Self.slots].append(
                    Step(conversation: conversation, step: step, isLate: slot >= Self.slots))
            }
        }
    }

    /// What is due until so many milliseconds after the beginning and was not taken yet: conversation, step, number of the turn from 1.
    mutating func take(until milliseconds: Int, _ body: (_ conversation: Int, _ step: Int, _ turn: UInt32) -> Void) {
        while (next + 1) * Self.slot <= milliseconds {
            for step in steps[next % Self.slots] {
                let turn = next / Self.slots + (step.isLate ? 0 : 1)
                if turn > 0 { body(step.conversation, step.step, UInt32(turn)) }
            }
            next += 1
        }
    }
}

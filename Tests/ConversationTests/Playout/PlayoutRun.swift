import Audio

@testable import Conversation

/// Ticks a playout and plays what it sends as a client does that plays in real time.
struct PlayoutRun {
    struct Frame: Equatable {
        var at: Int64
        var reply: ReplyNumber
        var first: Int
        var samples: [Int16]
    }

    var playout: Playout
    private(set) var frames: [Frame] = []
    private(set) var events: [PlayoutEvent] = []
    /// Milliseconds.
    private(set) var now: Int64 = 0

    init(_ settings: PlayoutSettings = PlayoutSettings()) { playout = Playout(settings: settings) }

    static func id(_ reply: UInt32, _ index: UInt32) -> SentenceID { SentenceID(reply: reply, index: index) }

    /// A sentence with all of its audio, each sample different from its neighbours.
    mutating func add(
        _ reply: UInt32, _ index: UInt32, _ text: String = "one two", milliseconds: Int, released: Bool = true
    ) {
        let id = Self.id(reply, index)
        playout.announce(id, text: text)
        playout.append(id, Self.audio(milliseconds))
        playout.finish(id)
        if released { playout.release(id) }
    }

    static func audio(_ milliseconds: Int) -> [Int16] {
        (0..<milliseconds * 16).map { Int16(truncatingIfNeeded: $0 % 30_000) }
    }

    var nanoseconds: Int64 { now * 1_000_000 }

    /// Ticks every `step` ms until `end`, the first one at once.
    mutating func run(to end: Int64, step: Int64 = 20) {
        while now < end {
            tick()
            now += step
        }
        now = end
    }

    mutating func tick() {
        let time = now
        var sent: [Frame] = []
        events += playout.advance(to: nanoseconds) { samples, reply, first in
            var copy: [Int16] = []
            for index in samples.indices { copy.append(samples[index]) }
            sent.append(Frame(at: time, reply: reply, first: Int(first.samples), samples: copy))
        }
        frames += sent
    }

    /// Milliseconds of audio sent at each time.
    var sent: [Int64: Int] { frames.reduce(into: [:]) { $0[$1.at, default: 0] += $1.samples.count / 16 } }
    var reports: [HeardReport] { events.compactMap { if case .replyFinished(let report) = $0 { report } else { nil } } }
}

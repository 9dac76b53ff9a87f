@testable import Audio

/// Drives a timeline with a simulated clock and notes all that it hands out.
struct TimelineRecorder {
    private(set) var timeline: SessionTimeline
    /// What turn taking was fed, from position zero on.
    private(set) var turnTaking: [Int16] = []
    /// What transcription was fed.
    private(set) var transcription: [Int16] = []
    private(set) var segments: [SessionTimeline.Segment] = []
    /// False as soon as a segment did not begin where the one before it for the same audience ended.
    private(set) var isContiguous = true
    private let start: Int64

    /// The clock starts at an arbitrary reading.
    static let origin: UInt64 = 5_000_000_123

    init(startingAt position: SessionTime = .zero) {
        timeline = SessionTimeline(startingAt: position)
        start = position.samples
    }

    var statistics: SessionTimeline.Statistics { timeline.statistics }

    static func nanoseconds(_ milliseconds: Double) -> UInt64 {
        origin + UInt64((milliseconds * 1_000_000).rounded())
    }

    mutating func receive(_ samples: [Int16], at milliseconds: Double, pace: SessionTimeline.Pace = .live) {
        var sink = Sink(self)
        timeline.receive(samples.span, at: Self.nanoseconds(milliseconds), pace: pace) { sink.take($0, $1) }
        note(sink)
    }

    mutating func tick(at milliseconds: Double) {
        var sink = Sink(self)
        timeline.tick(at: Self.nanoseconds(milliseconds)) { sink.take($0, $1) }
        note(sink)
    }

    /// Ticks every 10 ms in `range`, its end excluded.
    mutating func tick(from start: Double, to end: Double) {
        for time in stride(from: start, to: end, by: 10) { tick(at: time) }
    }

    private mutating func note(_ sink: Sink) {
        turnTaking += sink.turnTaking
        transcription += sink.transcription
        segments += sink.segments
        isContiguous = isContiguous && sink.isContiguous
    }

    private struct Sink {
        var turnTaking: [Int16] = []
        var transcription: [Int16] = []
        var segments: [SessionTimeline.Segment] = []
        var isContiguous = true
        let turnTakingBefore: Int64
        let transcriptionBefore: Int64

        init(_ recorder: TimelineRecorder) {
            turnTakingBefore = recorder.start + Int64(recorder.turnTaking.count)
            transcriptionBefore = recorder.start + Int64(recorder.transcription.count)
        }

        mutating func take(_ segment: SessionTimeline.Segment, _ samples: Span<Int16>) {
            segments.append(segment)
            let copy = samples.indices.map { samples[$0] }
            isContiguous = isContiguous && segment.length.samples == Int64(copy.count)
            if segment.audience != .transcription {
                isContiguous = isContiguous && segment.position.samples == turnTakingBefore + Int64(turnTaking.count)
                turnTaking += copy
            }
            if segment.audience != .turnTaking {
                isContiguous =
                    isContiguous && segment.position.samples == transcriptionBefore + Int64(transcription.count)
                transcription += copy
            }
        }
    }
}

/// Speech in which every sample tells where it belongs: never zero, 1...30,000 over and over.
struct CountedSpeech {
    private var next = 0

    mutating func packet(_ milliseconds: Int) -> [Int16] {
        defer { next += milliseconds * 16 }
        return (next..<next + milliseconds * 16).map { Int16($0 % 30_000 + 1) }
    }

    /// What the packets up to now were, in one piece.
    var spoken: [Int16] { (0..<next).map { Int16($0 % 30_000 + 1) } }
}

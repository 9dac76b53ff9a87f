import NIOCore

/// What people say whose programs record them until they are heard: it is kept until the recording is here, because that comes first. On the
/// session's event loop.
final class EarlySpeech {
    struct Piece {
        /// PCM16 little-endian.
        var samples: ByteBuffer
        var rate: Int
        var channels: Int
    }

    /// From the first audio of a microphone: a recording that is not here by then is not waited for. It bounds what is kept.
    static let patience = TimeAmount.seconds(3)

    private struct Wait {
        var live: [Piece] = []
        var end: Scheduled<Void>?
    }

    private let eventLoop: any EventLoop
    private let take: ([Piece]) -> Void
    private var waits: [String: Wait] = [:]

    /// `take` gets pieces in the order in which they were said, all that there are until then.
    init(on eventLoop: any EventLoop, _ take: @escaping ([Piece]) -> Void) {
        self.eventLoop = eventLoop
        self.take = take
    }

    /// A recording of this person is to come.
    func expect(_ identity: String) { if waits[identity] == nil { waits[identity] = Wait() } }

    /// Whether it is kept. 16 kHz mono.
    func keep(_ samples: ByteBuffer, of identity: String) -> Bool {
        guard waits[identity] != nil else { return false }
        waits[identity]?.live.append(Piece(samples: samples, rate: CallerStream.sampleRate, channels: 1))
        if waits[identity]?.end == nil {
            let bound = NIOLoopBound(self, eventLoop: eventLoop)
            waits[identity]?.end = eventLoop.assumeIsolated().scheduleTask(in: Self.patience) { bound.value.received(nil, of: identity) }
        }
        return true
    }

    /// The recording is here; nil: there is none.
    func received(_ recording: Piece?, of identity: String) {
        let wait = waits.removeValue(forKey: identity)
        wait?.end?.cancel()
        let pieces = (recording.map { [$0] } ?? []) + (wait?.live ?? [])
        if !pieces.isEmpty { take(pieces) }
    }

    /// Nothing more is kept, and nothing taken.
    func close() {
        for wait in waits.values { wait.end?.cancel() }
        waits = [:]
    }
}

import NIOCore
import Synchronization

/// Audio of one track on its way from the library's threads to the session's event loop: bounded, the oldest goes first when the loop is late.
final class CallerStream: Sendable {
    /// What is taken from the library: the rate inside Parley, so that the library resamples.
    static let sampleRate = 16_000
    static let frameMilliseconds = 20
    /// Half a second.
    private static let maximumFrames = 25

    private struct Frame {
        var samples: ByteBuffer
        var arrival: Int64
    }

    private struct State {
        var frames: [Frame] = []
        var dropped = 0
        var isClosed = false
    }

    private let state = Mutex(State())
    private let eventLoop: any EventLoop
    private let take: @Sendable (_ samples: ByteBuffer, _ arrival: Int64) -> Void

    /// `take` is called on `eventLoop`, in order: little-endian PCM16 mono at `sampleRate`, and when it arrived in monotonic nanoseconds.
    init(on eventLoop: any EventLoop, _ take: @escaping @Sendable (ByteBuffer, Int64) -> Void) {
        self.eventLoop = eventLoop
        self.take = take
    }

    /// Frames that were dropped because the loop was late.
    var dropped: Int { state.withLock { $0.dropped } }

    /// Called on a thread of the library.
    func push(_ samples: UnsafeBufferPointer<Int16>) {
        var buffer = ByteBufferAllocator().buffer(capacity: samples.count * 2)
        unsafe buffer.writeBytes(UnsafeRawBufferPointer(samples))
        let frame = Frame(samples: buffer, arrival: Int64(NIODeadline.now().uptimeNanoseconds))
        let isFirst = state.withLock { state in
            guard !state.isClosed else { return false }
            if state.frames.count >= Self.maximumFrames {
                state.frames.removeFirst()
                state.dropped += 1
            }
            state.frames.append(frame)
            return state.frames.count == 1
        }
        if isFirst { eventLoop.execute { self.drain() } }
    }

    /// Nothing more is delivered.
    func close() {
        state.withLock { state in
            state.isClosed = true
            state.frames = []
        }
    }

    private func drain() {
        let frames = state.withLock { state in
            defer { state.frames = [] }
            return state.frames
        }
        for frame in frames { take(frame.samples, frame.arrival) }
    }
}

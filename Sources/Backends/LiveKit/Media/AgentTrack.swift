import Audio
import SwiftProtobuf
import Synchronization

/// The agent's audio on its way into the room: takes what the session plays, gives the library 20 ms of it every 20 ms, and silence in between.
///
/// The library encodes what it gets at once, so nothing is waiting there and what is not sent yet can be taken back. On the session's event loop.
final class AgentTrack {
    /// 10 ms: what the library wants when it keeps no queue of its own.
    static let frameSamples = 160
    /// 20 ms make a packet. The first frame of one would wake the library's threads for nothing if it went before the second.
    static let packetFrames = 2
    static let sampleRate: UInt32 = 16_000
    /// Bits per second. From about 64,000 on Opus codes a voice without its model of speech, which takes a third of the time; the library's own
    /// 48,000 save a quarter of the bits.
    static let bitrate: UInt64 = 72_000
    /// Frames of this process that the library has not confirmed; beyond them it stands still, and so does the session.
    private static let mostOnTheWay = 20
    /// After a standstill so many packets are made up for at most.
    private static let mostAtOnce = 3
    /// Samples that have gone out are kept up to here, so that what waits is not moved for every frame.
    private static let mostSent = 16_000
    private static let packetNanoseconds: Int64 = 20_000_000
    /// A packet may go so much early: else one tick that comes a little sooner than the first did would leave it to the next.
    private static let tolerance: Int64 = 5_000_000

    private let library: LiveKitLibrary
    let source: LiveKitHandle
    let track: LiveKitHandle
    private var waiting: [Int16] = []
    private var start = 0
    private let silence = [Int16](repeating: 0, count: frameSamples)
    private let onTheWay: Counter
    private let number: UInt64
    private var request: CaptureRequest
    /// When the next packet is due, monotonic nanoseconds; nil before the first.
    private var due: Int64?
    /// Speech goes out; until then silence does, because nobody hears the track yet.
    var isHeard = false

    private final class Counter: Sendable {
        let frames = Atomic(0)
    }

    init(library: LiveKitLibrary, name: String) throws(LiveKitError) {
        self.library = library
        let source = try library.request(
            .newAudioSource(
                .with {
                    $0.type = 0
                    $0.options = .with {
                        $0.echoCancellation = false
                        $0.noiseSuppression = false
                        $0.autoGainControl = false
                    }
                    $0.sampleRate = Self.sampleRate
                    $0.numChannels = 1
                    $0.queueSizeMs = 0
                })
        ).newAudioSource.source
        self.source = LiveKitHandle(source.handle)
        let id = source.handle.id
        let track = try library.request(
            .createAudioTrack(
                .with {
                    $0.name = name
                    $0.sourceHandle = id
                })
        ).createAudioTrack.track
        self.track = LiveKitHandle(track.handle)
        let onTheWay = Counter()
        self.onTheWay = onTheWay
        number = library.listen(toCaptures: { onTheWay.frames.subtract(1, ordering: .relaxed) })
        request = CaptureRequest(source: id, number: number)
    }

    deinit { library.forget(captures: number) }

    /// Samples that were played and have not gone out.
    var waitingSamples: Int { waiting.count - start }

    func play(_ samples: Span<Int16>) {
        // A session plays a little ahead, so that nothing may be left over for as long as a reply lasts.
        if start > 0, start == waiting.count || start >= Self.mostSent {
            waiting.removeFirst(start)
            start = 0
        }
        waiting.reserveCapacity(waiting.count + samples.count)
        for index in samples.indices { waiting.append(samples[index]) }
    }

    /// Takes back what has not gone out.
    func clear() {
        waiting.removeAll(keepingCapacity: true)
        start = 0
    }

    /// Sends the packets that are due. Called every 20 ms, and whenever there is a reason.
    func tick(_ now: Int64) {
        var next = due ?? now
        // The loop stood still: what was missed is silence that nobody misses.
        next = max(next, now - Int64(Self.mostAtOnce) * Self.packetNanoseconds)
        while next - Self.tolerance <= now {
            guard onTheWay.frames.load(ordering: .relaxed) < Self.mostOnTheWay else { break }
            for _ in 0..<Self.packetFrames { sendFrame() }
            next += Self.packetNanoseconds
        }
        due = max(next, now - Self.packetNanoseconds)
    }

    private func sendFrame() {
        guard isHeard, waitingSamples > 0 else { return send(silence, from: 0) }
        if waitingSamples < Self.frameSamples {
            // The end of a reply: the frame is filled up with silence.
            waiting.append(contentsOf: repeatElement(0, count: Self.frameSamples - waitingSamples))
        }
        send(waiting, from: start)
        start += Self.frameSamples
    }

    private func send(_ samples: [Int16], from first: Int) {
        onTheWay.frames.add(1, ordering: .relaxed)
        unsafe samples.withUnsafeBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return }
            // The library copies the samples before it returns.
            unsafe request.point(to: UInt64(UInt(bitPattern: base + first)))
            if !library.capture(request) { onTheWay.frames.subtract(1, ordering: .relaxed) }
        }
    }
}

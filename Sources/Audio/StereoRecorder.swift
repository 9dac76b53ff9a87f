/// Writes two mono tracks, placed by session time, to one stereo WAV file: the caller left, the agent right.
///
/// Writes may come in any order, late and overlapping: the last one counts. Where nothing is written there is silence. The
/// file is readable at any moment, so a recording survives the process; its header has the true size after `finish()` and
/// otherwise says unknown. Blocking: for tools and tests, not for event loops.
package struct StereoRecorder: ~Copyable, Sendable {
    /// The two tracks.
    package enum Track: Int, Sendable, Hashable, CaseIterable {
        case caller = 0
        case agent = 1
    }

    /// The longest recording: what a WAV file's 32-bit sizes hold at 64,000 bytes a second, 18 hours.
    package static let longest = SessionTime(samples: (0xFFFF_FFFF - 36) / bytesPerFrame)

    private static let bytesPerFrame = 4
    private static let headerSize = 44

    /// End of the last sample written to either track.
    package private(set) var length = SessionTime.zero

    private let file: RandomAccessFile
    private var frames: [UInt8] = []

    /// Starts a recording at `path`, replacing what is there. Throws `fileFailed`.
    package init(path: String) throws(AudioError) {
        // The file is stored last: a non-copyable value cannot be half initialised when the first write throws.
        let file = try RandomAccessFile(path: path, mode: .replace)
        try file.write(Self.header(0xFFFF_FFFF), at: 0)
        self.file = file
    }

    /// Writes `samples` (16 kHz mono) to `track` from `position` on; what lies before zero is left out.
    ///
    /// Throws `fileFailed`, and `tooLarge` beyond `longest`.
    package mutating func write(_ samples: Span<Int16>, to track: Track, at position: SessionTime) throws(AudioError) {
        let skipped = min(max(0, -position.samples), Int64(samples.count))
        let start = max(.zero, position)
        let end = start + SessionTime(samples: Int64(samples.count) - skipped)
        guard end > start else { return }
        guard end <= Self.longest else {
            throw AudioError(.tooLarge, "a recording cannot go beyond \(Self.longest); a sample was due at \(end)")
        }
        let offset = Self.headerSize + Int(start.samples) * Self.bytesPerFrame
        try load(Int((end - start).samples), at: offset)
        for index in 0..<frames.count / Self.bytesPerFrame {
            let sample = samples[Int(skipped) + index]
            frames[index * Self.bytesPerFrame + track.rawValue * 2] = UInt8(truncatingIfNeeded: sample)
            frames[index * Self.bytesPerFrame + track.rawValue * 2 + 1] = UInt8(truncatingIfNeeded: sample >> 8)
        }
        try file.write(frames, at: offset)
        length = max(length, end)
    }

    /// Writes the header with the true size. More may be written and finished again.
    package mutating func finish() throws(AudioError) {
        try file.write(Self.header(Int(length.samples) * Self.bytesPerFrame), at: 0)
    }

    /// Fills `frames` with the `count` frames that are there; what is beyond the end reads as silence.
    private mutating func load(_ count: Int, at offset: Int) throws(AudioError) {
        frames.removeAll(keepingCapacity: true)
        frames.append(contentsOf: repeatElement(0, count: count * Self.bytesPerFrame))
        _ = try file.read(into: &frames, at: offset)
    }

    private static func header(_ dataCount: Int) -> [UInt8] {
        WAVHeader.encode(sampleRate: SessionTime.sampleRate, channels: 2, dataCount: dataCount)
    }
}

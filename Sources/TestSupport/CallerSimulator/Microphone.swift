import Audio

/// A microphone's packets of 20 ms on the wall clock: the line that is being said, or silence. Pure: time is given in
/// nanoseconds.
struct Microphone {
    /// Milliseconds of a packet.
    static let packet = 20

    struct Packet {
        var samples: [Int16]
        /// When the first sample of a line was said, if it is in this packet.
        var began: Int64?
        /// When its last one was.
        var finished: Int64?
    }

    private let origin: Int64
    private var sent: Int64 = 0
    private var line: [Int16]?
    private var position = 0

    init(startingAt origin: Int64) { self.origin = origin }

    var isSpeaking: Bool { line != nil }

    mutating func say(_ samples: [Int16]) {
        line = samples
        position = 0
    }

    /// The next packet that ends by now. A packet ends at its moment, whenever the loop gets to send it.
    mutating func next(at now: Int64) -> Packet? {
        guard sent < (now - origin) / (Int64(Self.packet) * 1_000_000) else { return nil }
        sent += 1
        let count = Self.packet * SessionTime.samplesPerMillisecond
        let end = origin + sent * Int64(Self.packet) * 1_000_000
        var packet = Packet(samples: [Int16](repeating: 0, count: count))
        guard let line else { return packet }
        let take = min(count, line.count - position)
        if position == 0 { packet.began = end - Int64(count) * 62_500 }
        packet.samples.replaceSubrange(0..<take, with: line[position..<position + take])
        position += take
        if position == line.count {
            packet.finished = end - Int64(count - take) * 62_500
            self.line = nil
        }
        return packet
    }
}

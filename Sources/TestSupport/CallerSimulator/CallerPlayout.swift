import Audio

/// A client that plays what it is sent in real time and flushes when told, as the Pipecat clients do. Pure: time is given.
struct CallerPlayout {
    enum Event: Equatable {
        case becameAudible(atNanoseconds: Int64)
        case becameSilent(atNanoseconds: Int64)
    }

    /// Samples louder than this are audible speech (about -50 dBFS).
    static let audible: Int16 = 100
    /// Silence of 300 ms ends a stretch of speech.
    private static let hangOver = 4_800

    private var queue: [Int16] = []
    private var head = 0
    /// Session samples played so far, silence included.
    private(set) var played: Int64 = 0
    private var origin: Int64?
    private var quiet = 0
    private(set) var isAudible = false
    /// Nanoseconds when the last audible sample was played.
    private(set) var lastAudible: Int64 = 0

    var bufferedSamples: Int { queue.count - head }

    mutating func receive(_ samples: [Int16]) { queue += samples }

    /// Drops what has not been played.
    mutating func flush() {
        queue.removeAll(keepingCapacity: true)
        head = 0
    }

    /// Plays up to `now`; `sink` gets the samples that were played, silence where nothing was there.
    mutating func advance(to now: Int64, sink: ([Int16]) -> Void, events: (Event) -> Void) {
        let start = origin ?? now
        origin = start
        let due = (now - start) * 16 / 1_000_000 - played
        guard due > 0 else { return }
        var out: [Int16] = []
        out.reserveCapacity(Int(due))
        for offset in 0..<due {
            let sample: Int16
            if head < queue.count {
                sample = queue[head]
                head += 1
            } else {
                sample = 0
            }
            out.append(sample)
            note(sample, at: start + (played + offset) * 62_500, events)
        }
        if head > 16_000 {
            queue.removeFirst(head)
            head = 0
        }
        played += due
        sink(out)
    }

    private mutating func note(_ sample: Int16, at time: Int64, _ events: (Event) -> Void) {
        if sample > Self.audible || sample < -Self.audible {
            quiet = 0
            lastAudible = time
            if !isAudible {
                isAudible = true
                events(.becameAudible(atNanoseconds: time))
            }
        } else if isAudible {
            quiet += 1
            if quiet >= Self.hangOver {
                isAudible = false
                events(.becameSilent(atNanoseconds: time))
            }
        }
    }
}

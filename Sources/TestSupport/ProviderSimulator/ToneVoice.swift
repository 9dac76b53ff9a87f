import Foundation
import Synchronization

/// A voice of tones: every word is a burst with a pattern of frequencies of its own, at a known place, so that a test can tell
/// from the samples which word was heard and how much of it. A faint hiss that is the word's own makes every moment of it unique.
package enum ToneVoice {
    /// A word's place, in samples from the start.
    package struct Word: Sendable, Hashable {
        package var text: String
        package var start: Int
        package var end: Int
    }

    /// Milliseconds of silence after each word.
    private static let gap = 45
    private static let peak = 7_000.0
    private static let hiss = 48.0
    private static let cache = Mutex<[String: [Int16]]>([:])
    /// Words kept rendered; a bound, then everything is rendered again.
    private static let cacheLimit = 4_000

    /// Where the words of a text are, and the length of all of it, in samples.
    package static func layout(_ text: String, rate: Int) -> (words: [Word], count: Int) {
        var words: [Word] = []
        var at = 0
        for word in text.split(whereSeparator: \.isWhitespace) {
            let length = milliseconds(word) * rate / 1_000
            words.append(Word(text: String(word), start: at, end: at + length))
            at += length + gap * rate / 1_000
        }
        return (words, at)
    }

    /// The samples of a text.
    package static func render(_ text: String, rate: Int) -> [Int16] {
        let (words, count) = layout(text, rate: rate)
        var samples = [Int16](repeating: 0, count: count)
        for word in words {
            let burst = burst(word.text, rate: rate)
            samples.replaceSubrange(word.start..<(word.start + burst.count), with: burst)
        }
        return samples
    }

    /// The burst of one word: two tones and a hiss that its letters choose, with ramps of 5 ms.
    package static func burst(_ word: String, rate: Int) -> [Int16] {
        let key = "\(rate) \(word)"
        if let known = cache.withLock({ $0[key] }) { return known }
        let (low, high) = frequencies(word)
        let count = milliseconds(Substring(word)) * rate / 1_000
        let ramp = max(1, rate / 200)
        var noise = SimulatorRandom(state: word.utf8.reduce(14_695_981_039_346_656_037) { ($0 ^ UInt64($1)) &* 1_099_511_628_211 })
        let burst = (0..<count).map { at in
            let time = Double(at) / Double(rate)
            let edge = Double(min(at, count - 1 - at, ramp)) / Double(ramp)
            let wave = 0.6 * sin(2 * .pi * low * time) + 0.4 * sin(2 * .pi * high * time)
            return Int16(edge * (peak * wave + hiss * Double.random(in: -1...1, using: &noise)))
        }
        cache.withLock { cache in
            if cache.count >= cacheLimit { cache.removeAll() }
            cache[key] = burst
        }
        return burst
    }

    /// The two frequencies of a word in Hz, within a telephone's band.
    package static func frequencies(_ word: String) -> (Double, Double) {
        let hash = word.utf8.reduce(UInt32(2_166_136_261)) { ($0 ^ UInt32($1)) &* 16_777_619 }  // FNV-1a
        return (300 + Double(hash % 40) * 20, 1_400 + Double((hash >> 8) % 40) * 40)
    }

    private static func milliseconds(_ word: Substring) -> Int { 80 + 45 * min(word.count, 16) }
}

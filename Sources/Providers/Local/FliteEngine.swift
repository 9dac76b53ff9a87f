import Audio
import CFlite
import Conversation
import Synchronization

/// flite: small, about a hundredth of real time, clear enough for recognisers. Blocking; call it off the event loops.
package final class FliteEngine: Sendable {
    /// The voices that are linked, all 16 kHz.
    package static let voices = ["slt", "rms", "awb", "kal16"]

    /// One synthesis at a time: the engine keeps global state while it loads voices and parses text.
    private let lock = Mutex(Voices())

    /// The C voices, created on first use and kept for the life of the process.
    @safe fileprivate struct Voices: ~Copyable {
        // Unchecked by the compiler: pointers are only touched while the lock is held.
        nonisolated(unsafe) var loaded: [String: UnsafeMutablePointer<cst_voice>] = unsafe [:]
        var isInitialised = false
    }

    /// One per process: the voices take 10 MB.
    package static let shared = FliteEngine()

    private init() {}

    /// Speaks a text. `speed` 1 is the voice's own. Throws for an unknown voice or when flite gives nothing back.
    package func synthesise(_ text: String, voice name: String, speed: Double = 1) throws(LocalSpeechError) -> SynthesisedSpeech {
        let result: Result<SynthesisedSpeech, LocalSpeechError> = lock.withLock { voices in
            do throws(LocalSpeechError) {
                return .success(try unsafe Self.synthesise(text, voices.voice(name), speed))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    private static func synthesise(
        _ text: String, _ voice: UnsafeMutablePointer<cst_voice>, _ speed: Double
    ) throws(LocalSpeechError) -> SynthesisedSpeech {
        unsafe feat_set_float(voice.pointee.features, "duration_stretch", Float(1 / speed))
        guard let utterance = unsafe flite_synth_text(text, voice) else {
            throw LocalSpeechError(.engineFailed, "flite could not speak a text of \(text.count) characters")
        }
        defer { unsafe delete_utterance(utterance) }
        guard let wave = unsafe utt_wave(utterance), let samples = unsafe wave.pointee.samples else {
            throw LocalSpeechError(.engineFailed, "flite gave no audio for a text of \(text.count) characters")
        }
        let buffer = unsafe UnsafeBufferPointer(start: samples, count: Int(wave.pointee.num_samples))
        return SynthesisedSpeech(samples: unsafe Array(buffer), words: unsafe words(of: utterance))
    }

    /// Word ends come from the utterance's segments; a word begins where the one before it ends.
    private static func words(of utterance: UnsafeMutablePointer<cst_utterance>) -> [SpokenWord] {
        var words: [SpokenWord] = []
        var item = unsafe relation_head(utt_relation(utterance, "Word"))
        while let word = unsafe item {
            let name = unsafe flite_ffeature_string(word, "name").map { unsafe String(cString: $0) } ?? ""
            let start = unsafe flite_ffeature_float(word, "R:SylStructure.daughter1.daughter1.R:Segment.p.end")
            let end = unsafe flite_ffeature_float(word, "R:SylStructure.daughtern.daughtern.end")
            words.append(
                SpokenWord(word: name, start: SessionTime(seconds: Double(start)), end: SessionTime(seconds: Double(end))))
            unsafe item = item_next(word)
        }
        return words
    }
}

extension FliteEngine.Voices {
    fileprivate mutating func voice(_ name: String) throws(LocalSpeechError) -> UnsafeMutablePointer<cst_voice> {
        if let voice = unsafe loaded[name] { return unsafe voice }
        if !isInitialised {
            flite_init()
            isInitialised = true
        }
        let voice: UnsafeMutablePointer<cst_voice>? =
            switch name {
            case "slt": unsafe register_cmu_us_slt(nil)
            case "rms": unsafe register_cmu_us_rms(nil)
            case "awb": unsafe register_cmu_us_awb(nil)
            case "kal16": unsafe register_cmu_us_kal16(nil)
            default: nil
            }
        guard let voice = unsafe voice else {
            throw LocalSpeechError(
                .unknownVoice, "flite has no voice '\(name)'; it has \(FliteEngine.voices.joined(separator: ", "))")
        }
        unsafe loaded[name] = unsafe voice
        return unsafe voice
    }
}

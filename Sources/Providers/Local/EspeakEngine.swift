import Audio
import CEspeakNG
import Conversation
import Synchronization

/// espeak-ng: many languages, robotic, about a thousandth of real time. Blocking; call it off the event loops.
package final class EspeakEngine: Sendable {
    /// The library has global state: one synthesis at a time in the process.
    private let lock = Mutex(State())
    package static let shared = EspeakEngine()

    private struct State {
        var sampleRate: Int32 = 0
    }

    /// What the callback collects; its address travels through the C library as user data.
    fileprivate final class Collector {
        var samples: [Int16] = []
        var words: [(position: Int, length: Int, sample: Int)] = []
    }

    private init() {}

    /// Speaks a text. `voice` is an espeak-ng voice or a language (`en-us`, `de`).
    package func synthesise(_ text: String, voice: String, speed: Double = 1) throws(LocalSpeechError) -> SynthesisedSpeech {
        let result: Result<SynthesisedSpeech, LocalSpeechError> = lock.withLock { state in
            do throws(LocalSpeechError) {
                return .success(try Self.synthesise(text, voice, speed, &state))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    private static func synthesise(
        _ text: String, _ voice: String, _ speed: Double, _ state: inout State
    ) throws(LocalSpeechError) -> SynthesisedSpeech {
        if state.sampleRate == 0 {
            state.sampleRate = espeak_Initialize(AUDIO_OUTPUT_SYNCHRONOUS, 0, nil, 0)
            guard state.sampleRate > 0 else {
                state.sampleRate = 0
                throw LocalSpeechError(.engineFailed, "espeak-ng cannot start; is the package espeak-ng-data installed?")
            }
            unsafe espeak_SetSynthCallback(collectEspeakAudio)
        }
        guard unsafe espeak_SetVoiceByName(voice) == EE_OK else {
            throw LocalSpeechError(.unknownVoice, "espeak-ng has no voice '\(voice)'; `espeak-ng --voices` lists them")
        }
        // 175 words a minute is the library's normal speed.
        _ = espeak_SetParameter(espeakRATE, Int32(175 * speed), 0)
        let collector = Collector()
        let status = unsafe text.withCString { bytes in
            unsafe espeak_Synth(
                bytes, text.utf8.count + 1, 0, POS_CHARACTER, 0, UInt32(espeakCHARS_UTF8), nil,
                Unmanaged.passUnretained(collector).toOpaque())
        }
        guard status == EE_OK else { throw LocalSpeechError(.engineFailed, "espeak-ng could not speak the text") }
        return try speech(collector, text, rate: Int(state.sampleRate))
    }

    private static func speech(_ collector: Collector, _ text: String, rate: Int) throws(LocalSpeechError) -> SynthesisedSpeech {
        let samples: [Int16]
        do { samples = try resample(collector.samples, from: rate, to: SessionTime.sampleRate) } catch {
            throw LocalSpeechError(.engineFailed, "cannot resample espeak-ng's \(rate) Hz: \(error)")
        }
        let characters = Array(text)
        var words: [SpokenWord] = []
        for (index, word) in collector.words.enumerated() {
            let first = max(0, min(word.position - 1, characters.count))
            let last = min(first + word.length, characters.count)
            let next = index + 1 < collector.words.count ? collector.words[index + 1].sample : collector.samples.count
            words.append(
                SpokenWord(
                    word: String(characters[first..<last]),
                    start: SessionTime(samples: word.sample * SessionTime.sampleRate / rate),
                    end: SessionTime(samples: next * SessionTime.sampleRate / rate)))
        }
        return SynthesisedSpeech(samples: samples, words: words)
    }
}

/// Called by espeak-ng with a piece of audio and the events in it; ends with an event of type LIST_TERMINATED.
private func collectEspeakAudio(
    _ wave: UnsafeMutablePointer<Int16>?, _ count: Int32, _ events: UnsafeMutablePointer<espeak_EVENT>?
) -> Int32 {
    guard var event = unsafe events else { return 0 }
    while unsafe event.pointee.type != espeakEVENT_LIST_TERMINATED {
        if unsafe event.pointee.type == espeakEVENT_WORD, let data = unsafe event.pointee.user_data {
            let collector = unsafe Unmanaged<EspeakEngine.Collector>.fromOpaque(data).takeUnretainedValue()
            unsafe collector.words.append(
                (Int(event.pointee.text_position), Int(event.pointee.length), Int(event.pointee.sample)))
        }
        unsafe event += 1
    }
    if let data = unsafe event.pointee.user_data, let wave = unsafe wave, count > 0 {
        let collector = unsafe Unmanaged<EspeakEngine.Collector>.fromOpaque(data).takeUnretainedValue()
        unsafe collector.samples.append(contentsOf: UnsafeBufferPointer(start: wave, count: Int(count)))
    }
    return 0
}

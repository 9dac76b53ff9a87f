package import Audio
package import NIOCore

/// A synthesiser that speaks sentences while the reply is still being written.
package protocol TextToSpeech: Sendable {
    /// `vendor/model`, as written in logs, usage and metrics.
    var name: String { get }

    /// Opens a voice for one session and returns at once (connections are pooled and warm). Events are delivered on
    /// `eventLoop`, in order, never from inside a method call.
    func open(
        _ request: SynthesisRequest, on eventLoop: any EventLoop, events: @escaping @Sendable (SynthesisEvent) -> Void
    ) -> any SynthesisStream
}

package struct SynthesisRequest: Sendable {
    package var session: String
    /// The vendor's voice id; nil takes the provider's default.
    package var voice: String?
    package var language: String?
    /// 1 is normal.
    package var speed: Double

    package init(session: String, voice: String? = nil, language: String? = nil, speed: Double = 1) {
        self.session = session
        self.voice = voice
        self.language = language
        self.speed = speed
    }
}

/// One session's voice. Used on its event loop only.
package protocol SynthesisStream: AnyObject {
    /// Speaks a sentence; audio of different sentences never interleaves and comes in the order of the calls.
    /// `context` says that the reply goes on (prosody), `last` that no sentence of this reply follows.
    func speak(_ text: String, as sentence: SentenceID, last: Bool)
    /// Drops all sentences of a reply that have not ended. Nothing of it is delivered afterwards.
    func cancel(reply: UInt32)
    /// Ends the voice. No event is delivered afterwards.
    func close()
}

package enum SynthesisEvent: Sendable {
    /// The text is on the wire (the start of the time to first byte).
    case requested(SentenceID)
    /// The next samples of a sentence, 16 kHz mono.
    case audio(SentenceID, [Int16])
    /// Where words are, in samples from the sentence's first; may come before, with or after the audio.
    case marks(SentenceID, [SpokenWord])
    /// All audio of the sentence has been delivered.
    case finished(SentenceID, characters: Int)
    /// This sentence failed; the stream is still usable unless `terminal`.
    case failed(SentenceID?, ProviderError, terminal: Bool)
}

/// A word and where it is spoken, in samples from its sentence's first.
package struct SpokenWord: Sendable, Hashable {
    package var word: String
    package var start: SessionTime
    package var end: SessionTime

    package init(word: String, start: SessionTime, end: SessionTime) {
        self.word = word
        self.start = start
        self.end = end
    }
}

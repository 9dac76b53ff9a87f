package import Audio
package import NIOCore

/// A recogniser that turns a caller's audio into transcripts while it arrives.
///
/// Everything of one stream happens on the event loop it was opened on: its methods are called there, and events are
/// delivered there, in order, never from inside a method call of the stream.
package protocol SpeechToText: Sendable {
    /// `vendor/model`, as written in logs, usage and metrics.
    var name: String { get }

    /// Opens a stream and returns at once; the connection is made in the background. Audio sent before it is up is kept
    /// (at most 10 s, the oldest dropped and counted) and sent faster than real time as far as the vendor allows.
    /// A connection that breaks is made again by the provider (first try within 250 ms) with the audio of the gap;
    /// `failed` is delivered only when the provider gives up.
    func open(
        _ request: RecognitionRequest, on eventLoop: any EventLoop, events: @escaping @Sendable (RecognitionEvent) -> Void
    ) -> any RecognitionStream
}

/// What a recognition stream needs to know when it is opened.
package struct RecognitionRequest: Sendable {
    /// Session id, sent to the vendor as a tag where it has one.
    package var session: String
    /// BCP 47 tag, `en-US`; nil leaves it to the vendor.
    package var language: String?
    /// Words the vendor should expect (names, products).
    package var keyterms: [String]
    /// What the agent has just asked, for recognisers that use grammars.
    package var hint: RecognitionHint?

    package init(session: String, language: String? = nil, keyterms: [String] = [], hint: RecognitionHint? = nil) {
        self.session = session
        self.language = language
        self.keyterms = keyterms
        self.hint = hint
    }
}

/// What kind of answer the flow expects next. Remote recognisers ignore it.
package struct RecognitionHint: Sendable, Hashable {
    /// Name of a grammar that the recogniser knows, e.g. `yes-no`, `budget`, `person-name`; nil means free speech.
    package var grammar: String?
    /// Phrases that are likely, for recognisers that build a grammar on the spot.
    package var phrases: [String]

    package init(grammar: String? = nil, phrases: [String] = []) {
        self.grammar = grammar
        self.phrases = phrases
    }
}

/// One caller's stream into a recogniser. Used on its event loop only.
package protocol RecognitionStream: AnyObject {
    /// 16 kHz mono PCM16, in order, without gaps: the stream's own time is the number of samples sent.
    func send(_ samples: Span<Int16>)
    /// The caller has stopped speaking (VAD): flush what is held back. Finals follow as usual; there may be none.
    func finalize()
    /// What is expected next; takes effect from the next utterance on.
    func expect(_ hint: RecognitionHint?)
    /// Ends the stream. No event is delivered afterwards.
    func close()
}

/// What a recogniser reports. Interim transcripts replace each other until a final one; finals are concatenated by the turn.
package enum RecognitionEvent: Sendable {
    /// Connected; sent again after a reconnect.
    case ready
    case interim(Transcript)
    case final(Transcript)
    /// The vendor's own voice detection, position in samples of the stream.
    case speechStarted(at: SessionTime)
    /// Seconds of audio charged since the last report.
    case usage(audioSeconds: Double)
    /// Terminal: the provider has given up on this stream.
    case failed(ProviderError)
}

/// A piece of recognised speech.
package struct Transcript: Sendable, Hashable {
    package var text: String
    /// 0...1; 1 where the vendor does not say.
    package var confidence: Double
    /// Samples of the stream (not of the session) where the first word starts and the last one ends; nil if unknown.
    package var start: SessionTime?
    package var end: SessionTime?
    package var language: String?
    /// The vendor's endpointing says that the speaker has paused (Deepgram's `speech_final`).
    package var endsUtterance: Bool

    package init(
        text: String, confidence: Double = 1, start: SessionTime? = nil, end: SessionTime? = nil, language: String? = nil,
        endsUtterance: Bool = false
    ) {
        self.text = text
        self.confidence = confidence
        self.start = start
        self.end = end
        self.language = language
        self.endsUtterance = endsUtterance
    }
}

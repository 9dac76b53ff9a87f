import Audio
package import Conversation
package import NIOCore
import Synchronization

/// `local/pocketsphinx`: recognition on this machine, without a network. Uses a grammar where the flow knows what it asked, the
/// general model elsewhere.
package struct LocalSpeechToText: SpeechToText {
    private let pool: LocalSpeechPool
    private let decoders: SphinxDecoderPool

    /// `models` is the directory with PocketSphinx's `en-us` model; `decoders` bounds how many utterances are decoded at once.
    package init(models: String, decoders: Int, pool: LocalSpeechPool) {
        self.pool = pool
        self.decoders = SphinxDecoderPool(models: models, limit: decoders)
    }

    package var name: String { "local/pocketsphinx" }

    package func open(
        _ request: RecognitionRequest, on eventLoop: any EventLoop, events: @escaping @Sendable (RecognitionEvent) -> Void
    ) -> any RecognitionStream {
        LocalRecognition(name: name, hint: request.hint, pool: pool, decoders: decoders, eventLoop: eventLoop, events: events)
    }
}

/// One caller's stream. Finds utterances by level, decodes them while they are spoken. Confined to its event loop.
private final class LocalRecognition: RecognitionStream {
    /// Audio before the level rose that belongs to the utterance: 300 ms.
    private static let preRoll = 4_800
    /// Level that begins an utterance, dBFS; synthetic and telephone speech lies above -35.
    private static let openLevel: Float = -45
    /// Silence after which an utterance ends without being told: 800 ms.
    private static let closeAfter = 12_800
    /// Samples that are decoded at a time: 100 ms.
    private static let batch = 1_600

    private let name: String
    private let eventLoop: any EventLoop
    private let events: @Sendable (RecognitionEvent) -> Void
    private let utterances: UtteranceQueue
    private var hint: RecognitionHint?
    private var before: [Int16] = []
    private var pending: [Int16] = []
    private var quiet = 0
    private var isSpeaking = false
    private var position = SessionTime.zero
    private var start = SessionTime.zero
    private var isClosed = false

    init(
        name: String, hint: RecognitionHint?, pool: LocalSpeechPool, decoders: SphinxDecoderPool, eventLoop: any EventLoop,
        events: @escaping @Sendable (RecognitionEvent) -> Void
    ) {
        self.name = name
        self.hint = hint
        self.eventLoop = eventLoop
        self.events = events
        self.utterances = UtteranceQueue(pool: pool, decoders: decoders)
        eventLoop.execute { events(.ready) }
    }

    func send(_ samples: Span<Int16>) {
        position = position + SessionTime(samples: samples.count)
        let isLoud = AudioLevel(of: samples).peakDBFS > Self.openLevel
        if !isSpeaking {
            samples.appended(to: &before)
            if before.count > Self.preRoll { before.removeFirst(before.count - Self.preRoll) }
            if isLoud { begin() }
            return
        }
        samples.appended(to: &pending)
        quiet = isLoud ? 0 : quiet + samples.count
        if pending.count >= Self.batch { flushPending() }
        if quiet >= Self.closeAfter { end() }
    }

    func finalize() {
        guard isSpeaking else { return deliver(.final(Transcript(text: "", endsUtterance: true))) }
        end()
    }

    func expect(_ hint: RecognitionHint?) { self.hint = hint }

    func close() {
        isClosed = true
        utterances.abandon()
    }

    private func begin() {
        isSpeaking = true
        quiet = 0
        start = position - SessionTime(samples: before.count)
        pending = before
        before = []
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        let eventLoop = eventLoop
        utterances.begin(grammar: hint?.grammar) { event in
            eventLoop.execute { bound.value.decoded(event) }
        }
    }

    private func flushPending() {
        utterances.append(pending)
        pending = []
    }

    private func end() {
        flushPending()
        isSpeaking = false
        utterances.end(start: start, end: position - SessionTime(samples: quiet))
        deliver(.usage(audioSeconds: (position - start).seconds))
    }

    private func decoded(_ event: UtteranceQueue.Event) {
        switch event {
        case .interim(let text): deliver(.interim(Transcript(text: text)))
        case .final(let text, let start, let end):
            deliver(.final(Transcript(text: text, confidence: 0.9, start: start, end: end, endsUtterance: true)))
        case .failed(let error):
            deliver(.failed(ProviderError(error.code == .modelMissing ? .modelMissing : .server, provider: name, message: error.message)))
        }
    }

    private func deliver(_ event: RecognitionEvent) {
        let events = events
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        eventLoop.execute {
            if !bound.value.isClosed { events(event) }
        }
    }
}

extension Span<Int16> {
    fileprivate func appended(to array: inout [Int16]) {
        array.reserveCapacity(array.count + count)
        for index in indices { array.append(self[index]) }
    }
}

package import Conversation
import Audio
package import NIOCore
import Synchronization

/// `local/flite` and `local/espeak-ng`: synthesis on this machine, without a network, a sentence at a time.
package struct LocalTextToSpeech: TextToSpeech {
    package enum Engine: String, Sendable, CaseIterable { case flite, espeakNG = "espeak-ng" }

    private let engine: Engine
    private let pool: LocalSpeechPool

    package init(engine: Engine, pool: LocalSpeechPool) {
        self.engine = engine
        self.pool = pool
    }

    package var name: String { "local/\(engine.rawValue)" }

    package func open(
        _ request: SynthesisRequest, on eventLoop: any EventLoop, events: @escaping @Sendable (SynthesisEvent) -> Void
    ) -> any SynthesisStream {
        LocalSynthesis(engine: engine, name: name, request: request, pool: pool, eventLoop: eventLoop, events: events)
    }
}

/// One session's local voice. Confined to its event loop but for the work on the pool.
private final class LocalSynthesis: SynthesisStream {
    /// Samples per delivered chunk: 100 ms, so that playout starts before a long sentence has been copied.
    private static let chunk = 1_600

    private let engine: LocalTextToSpeech.Engine
    private let name: String
    private let voice: String
    private let speed: Double
    private let work: SerialWork
    private let eventLoop: any EventLoop
    private let events: @Sendable (SynthesisEvent) -> Void
    /// Replies up to this one are cancelled; `.max` once closed. Read on the pool, too, to skip useless work.
    private let cancelled = Cancelled()

    private final class Cancelled: Sendable {
        private let replies = Mutex<(all: Bool, replies: Set<UInt32>)>((false, []))
        func contains(_ reply: UInt32) -> Bool { replies.withLock { $0.all || $0.replies.contains(reply) } }
        func insert(_ reply: UInt32) { replies.withLock { _ = $0.replies.insert(reply) } }
        func insertAll() { replies.withLock { $0.all = true } }
    }

    init(
        engine: LocalTextToSpeech.Engine, name: String, request: SynthesisRequest, pool: LocalSpeechPool, eventLoop: any EventLoop,
        events: @escaping @Sendable (SynthesisEvent) -> Void
    ) {
        self.engine = engine
        self.name = name
        self.voice = request.voice ?? (engine == .flite ? "slt" : request.language?.lowercased() ?? "en-us")
        self.speed = request.speed
        self.work = SerialWork(on: pool)
        self.eventLoop = eventLoop
        self.events = events
    }

    func speak(_ text: String, as sentence: SentenceID, last: Bool) {
        let engine = engine
        let voice = voice
        let speed = speed
        let cancelled = cancelled
        let deliver = deliver
        deliver([.requested(sentence)], sentence.reply)
        work.submit { [name] in
            guard !cancelled.contains(sentence.reply) else { return }
            do throws(LocalSpeechError) {
                let speech =
                    switch engine {
                    case .flite: try FliteEngine.shared.synthesise(text, voice: voice, speed: speed)
                    case .espeakNG: try EspeakEngine.shared.synthesise(text, voice: voice, speed: speed)
                    }
                deliver(Self.events(for: speech, sentence, characters: text.count), sentence.reply)
            } catch {
                let category: ProviderError.Category = error.code == .unknownVoice ? .invalidRequest : .server
                deliver([.failed(sentence, ProviderError(category, provider: name, message: error.message), terminal: false)], sentence.reply)
            }
        }
    }

    func cancel(reply: UInt32) { cancelled.insert(reply) }
    func close() { cancelled.insertAll() }

    /// Hops to the event loop; what was cancelled meanwhile is dropped there.
    private var deliver: @Sendable ([SynthesisEvent], UInt32) -> Void {
        let eventLoop = eventLoop
        let cancelled = cancelled
        let events = events
        return { batch, reply in
            eventLoop.execute {
                for event in batch where !cancelled.contains(reply) { events(event) }
            }
        }
    }

    private static func events(for speech: SynthesisedSpeech, _ sentence: SentenceID, characters: Int) -> [SynthesisEvent] {
        var events: [SynthesisEvent] = []
        if !speech.words.isEmpty { events.append(.marks(sentence, speech.words)) }
        for start in stride(from: 0, to: speech.samples.count, by: chunk) {
            events.append(.audio(sentence, Array(speech.samples[start..<min(start + chunk, speech.samples.count)])))
        }
        events.append(.finished(sentence, characters: characters))
        return events
    }
}

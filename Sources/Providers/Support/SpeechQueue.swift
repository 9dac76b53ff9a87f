import Audio
package import Conversation
package import NIOCore

/// The sentences of one voice on their way through a speech socket: which are asked for, in what order their audio comes out, and
/// what becomes of them when the connection breaks. No I/O, no clock.
package struct SpeechQueue: Sendable {
    package enum Action: Sendable {
        case send([ByteBuffer])
        case emit(SynthesisEvent)
        /// All places on the socket are taken by contexts that were cancelled: take a new socket.
        case reconnect
    }

    private struct Sentence: Sendable {
        let id: SentenceID
        let text: String
        /// Nil while it waits for a place.
        var context: String?
        var tries = 0
        var delivered = 0
        var hasAudio = false
        var hasEnded = false
        /// Events that came while an earlier sentence was still being delivered.
        var held: [SynthesisEvent] = []
        var word = WordAssembler()
    }

    /// More sentences waiting than this is an accident; the newest is refused.
    private static let maximumSentences = 256

    private let wire: any SpeechWire
    /// Sentences asked for ahead of the one being delivered, itself included.
    private let ahead: Int
    /// A sentence is asked for so many times before it fails.
    private let triesPerSentence: Int
    /// In the order of `speak`.
    private var sentences: [Sentence] = []
    /// Contexts the vendor still knows, by name; true for cancelled ones.
    private var contexts: [String: Bool] = [:]
    private var isOpen = false
    private var contextNumber = 0
    private let prefix: String

    /// `prefix` makes context names unique between sessions.
    package init(_ wire: any SpeechWire, prefix: String, ahead: Int = 3, triesPerSentence: Int = 2) {
        self.wire = wire
        self.prefix = prefix
        self.ahead = max(1, min(ahead, wire.maximumContexts))
        self.triesPerSentence = triesPerSentence
    }

    /// True while the vendor owes audio.
    package var isWaiting: Bool { !sentences.isEmpty }
    /// The sentence whose audio is due next, and whether any of it has come; nil when nothing is asked for.
    package var front: (id: SentenceID, hasAudio: Bool)? {
        sentences.first.flatMap { $0.context == nil ? nil : ($0.id, $0.hasAudio) }
    }

    package mutating func speak(_ text: String, as id: SentenceID) -> [Action] {
        guard sentences.count < Self.maximumSentences else {
            let error = ProviderError(
                .invalidRequest, provider: wire.provider, message: "too many sentences are waiting")
            return [.emit(.failed(id, error, terminal: false))]
        }
        sentences.append(Sentence(id: id, text: text))
        return advance()
    }

    package mutating func cancel(reply: UInt32) -> [Action] {
        var actions: [Action] = []
        for sentence in sentences where sentence.id.reply == reply {
            if let context = sentence.context, !sentence.hasEnded { actions += release(context) }
        }
        sentences.removeAll { $0.id.reply == reply }
        return actions + deliverFront() + advance()
    }

    package mutating func opened() -> [Action] {
        isOpen = true
        return advance()
    }

    /// The connection is gone. What was not heard yet is asked for again on the next one; a sentence of which audio has been
    /// delivered, or which has had its tries, fails. `error` is the reason given.
    package mutating func lost(_ error: ProviderError) -> [Action] {
        isOpen = false
        contexts = [:]
        var actions: [Action] = []
        var kept: [Sentence] = []
        for var sentence in sentences {
            guard sentence.context != nil, !sentence.hasEnded else {
                kept.append(sentence)
                continue
            }
            let isDelivered = sentence.hasAudio && sentence.held.isEmpty
            if isDelivered || sentence.tries >= triesPerSentence {
                actions.append(.emit(.failed(sentence.id, error, terminal: false)))
            } else {
                let fresh = Sentence(id: sentence.id, text: sentence.text, tries: sentence.tries)
                sentence = fresh
                kept.append(sentence)
            }
        }
        sentences = kept
        return actions + deliverFront()
    }

    /// The provider gives up: every sentence fails.
    package mutating func gaveUp(_ error: ProviderError) -> [Action] {
        isOpen = false
        contexts = [:]
        let failed = sentences.map { Action.emit(.failed($0.id, error, terminal: false)) }
        sentences = []
        return failed + [.emit(.failed(nil, error, terminal: true))]
    }

    package mutating func received(_ event: SpeechWireEvent) -> [Action] {
        switch event {
        case .audio(let context, let samples):
            guard let at = place(context), !samples.isEmpty else { return [] }
            sentences[at].hasAudio = true
            sentences[at].delivered += samples.count
            return emit(.audio(sentences[at].id, samples), at)
        case .characters(let context, let characters):
            guard let at = place(context) else { return [] }
            let words = sentences[at].word.add(characters, offset: sentences[at].delivered)
            return words.isEmpty ? [] : emit(.marks(sentences[at].id, words), at)
        case .words(let context, let words):
            guard let at = place(context), !words.isEmpty else { return [] }
            return emit(.marks(sentences[at].id, words), at)
        case .ended(let context): return ended(context)
        case .failed(let context, let error):
            guard let context, let at = place(context) else { return [] }
            contexts[context] = nil
            let id = sentences[at].id
            sentences.remove(at: at)
            return [.emit(.failed(id, error, terminal: false))] + deliverFront() + advance()
        }
    }

    private mutating func ended(_ context: String) -> [Action] {
        contexts[context] = nil
        guard let at = place(context) else { return advance() }
        var actions: [Action] = []
        if let last = sentences[at].word.finish() { actions += emit(.marks(sentences[at].id, [last]), at) }
        sentences[at].hasEnded = true
        return actions + deliverFront() + advance()
    }

    private func place(_ context: String) -> Int? { sentences.firstIndex { $0.context == context } }

    /// The first sentence's events go out; the others' wait for their turn.
    private mutating func emit(_ event: SynthesisEvent, _ at: Int) -> [Action] {
        if at == 0 { return [.emit(event)] }
        sentences[at].held.append(event)
        return []
    }

    /// Takes ended sentences off the front and lets out what their successors had held back.
    private mutating func deliverFront() -> [Action] {
        var actions: [Action] = []
        while let first = sentences.first {
            actions += first.held.map { .emit($0) }
            sentences[0].held = []
            guard first.hasEnded else { break }
            actions.append(.emit(.finished(first.id, characters: first.text.count)))
            sentences.removeFirst()
        }
        return actions
    }

    /// Asks for as many sentences as may be under way.
    private mutating func advance() -> [Action] {
        guard isOpen else { return [] }
        var actions: [Action] = []
        for at in sentences.indices.prefix(ahead) where sentences[at].context == nil {
            guard contexts.count < wire.maximumContexts else {
                return contexts.values.allSatisfy { $0 } ? actions + [.reconnect] : actions
            }
            contextNumber += 1
            let context = "\(prefix)-\(contextNumber)"
            sentences[at].context = context
            sentences[at].tries += 1
            contexts[context] = false
            actions.append(.send(wire.speak(sentences[at].text, context: context)))
            actions.append(.emit(.requested(sentences[at].id)))
        }
        return actions
    }

    private mutating func release(_ context: String) -> [Action] {
        guard contexts[context] != nil else { return [] }
        contexts[context] = wire.endsCancelledContexts ? true : nil
        return [.send(wire.cancel(context: context))]
    }
}

/// Puts words together from characters that come in pieces.
struct WordAssembler: Sendable {
    private var text = ""
    private var start = 0
    private var end = 0

    /// The words that `characters` complete; their positions count from `offset`.
    mutating func add(_ characters: [SpokenCharacter], offset: Int) -> [SpokenWord] {
        var words: [SpokenWord] = []
        for character in characters {
            if character.text.allSatisfy(\.isWhitespace) {
                if let word = finish() { words.append(word) }
                continue
            }
            if text.isEmpty { start = offset + character.start }
            text += character.text
            end = offset + character.end
        }
        return words
    }

    /// The word at the end, which no space follows.
    mutating func finish() -> SpokenWord? {
        guard !text.isEmpty else { return nil }
        defer { text = "" }
        return SpokenWord(
            word: text, start: SessionTime(samples: Int64(start)), end: SessionTime(samples: Int64(max(start, end))))
    }
}

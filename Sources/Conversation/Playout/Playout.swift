package import Audio

/// Sends replies sentence by sentence in real time, a configured lead ahead, and knows what of them has been heard.
///
/// A pure value: it reads no clock and does no I/O. `now` is in monotonic nanoseconds; positions are samples from a reply's first.
///
/// A sentence is announced, gets its audio, and is held until it is released (a speculation until its turn is committed, every
/// sentence until it is in the log). Replies are played one after the other in the order of their numbers; the next one begins when
/// the one before has been heard. The caller is taken to play what it is sent at once and in real time, and nothing when it has
/// nothing. What is played is kept until its sentence is over, so that a pause can go back to where the caller was.
package struct Playout: Sendable {
    struct Sentence: Sendable {
        let id: SentenceID
        let text: String
        /// Samples at the sentence's beginning that are not played.
        let skipped: Int64
        /// Samples still to be dropped from what arrives.
        var toSkip: Int64
        var audio: [Int16] = []
        /// Samples behind the skipped ones; `audio` is given back when the sentence is over.
        var length: Int64 = 0
        var marks: [SpokenWord] = []
        var isFinished = false
        var isReleased = false
        var hasStarted = false
        var isOver = false
        /// Position in the reply of `audio[0]`.
        var start: Int64 = 0

        var end: Int64 { start + length }
    }

    struct Reply: Sendable {
        let number: ReplyNumber
        /// It may be played; false for a speculation.
        var isOpen = false
        var hasStarted = false
        var sentences: [Sentence] = []
        /// Number of sentences, once known.
        var total: Int?
        /// Position of the next sample to send, and the sentence it lies in.
        var position: Int64 = 0
        var cursor = 0
        /// Where it began: 0, or the position a takeover resumed from.
        var origin: Int64 = 0
        /// Exact position reported by the backend.
        var acknowledged: Int64 = 0
        /// It ends behind the sentence at this place of `sentences`.
        var last: Int?
        var isInGap = false
    }

    static let nanosecondsPerSample: Int64 = 62_500

    let settings: PlayoutSettings
    var replies: [Reply] = []
    /// When the caller will have played all that was sent.
    var playedOut: Int64 = 0
    var clock: Int64 = 0
    package internal(set) var isPaused = false
    /// Gaps in sentences whose audio was late.
    package internal(set) var underruns = 0
    /// Samples dropped because `maximumSamples` were waiting.
    package internal(set) var dropped: Int64 = 0
    private var waiting = 0

    package init(settings: PlayoutSettings = PlayoutSettings()) { self.settings = settings }

    // MARK: What is to be said

    /// A committed reply may be played. `position`: where its first announced sentence begins, for a reply that another worker
    /// began.
    package mutating func begin(_ reply: ReplyNumber, position: SessionTime = .zero) {
        let index = makeReply(reply)
        replies[index].isOpen = true
        guard replies[index].sentences.isEmpty else { return }
        replies[index].origin = position.samples
        replies[index].position = position.samples
    }

    /// A sentence's audio will follow; sentences of a reply in order. `skipping`: samples at its beginning that the caller has heard
    /// already; they are expected to arrive, and are dropped.
    package mutating func announce(_ sentence: SentenceID, text: String, skipping: SessionTime = .zero) {
        let index = makeReply(sentence.reply)
        guard replies[index].last == nil, place(of: sentence) == nil else { return }
        let skipped = max(0, skipping.samples)
        if replies[index].sentences.isEmpty {
            replies[index].origin += skipped
            replies[index].position += skipped
        }
        replies[index].sentences.append(Sentence(id: sentence, text: text, skipped: skipped, toSkip: skipped))
    }

    /// The next samples of a sentence. Those of unknown (stopped, discarded) sentences are dropped.
    package mutating func append(_ sentence: SentenceID, _ samples: [Int16]) {
        guard let place = place(of: sentence), !samples.isEmpty else { return }
        let skip = Int(min(replies[place.reply].sentences[place.sentence].toSkip, Int64(samples.count)))
        replies[place.reply].sentences[place.sentence].toSkip -= Int64(skip)
        let room = max(0, settings.maximumSamples - waiting)
        let count = min(samples.count - skip, room)
        dropped += Int64(samples.count - skip - count)
        guard count > 0 else { return }
        waiting += count
        if skip == 0, count == samples.count, replies[place.reply].sentences[place.sentence].audio.isEmpty {
            replies[place.reply].sentences[place.sentence].audio = samples
        } else {
            replies[place.reply].sentences[place.sentence].audio.append(contentsOf: samples[skip..<skip + count])
        }
        replies[place.reply].sentences[place.sentence].length += Int64(count)
    }

    /// Where a sentence's words are, in samples from its first; adds to those known.
    package mutating func mark(_ sentence: SentenceID, words: [SpokenWord]) {
        guard let place = place(of: sentence) else { return }
        replies[place.reply].sentences[place.sentence].marks += words
    }

    /// All audio of the sentence has arrived.
    package mutating func finish(_ sentence: SentenceID) {
        guard let place = place(of: sentence) else { return }
        replies[place.reply].sentences[place.sentence].isFinished = true
    }

    /// The sentence may be heard.
    package mutating func release(_ sentence: SentenceID) {
        guard let place = place(of: sentence) else { return }
        replies[place.reply].isOpen = true
        replies[place.reply].sentences[place.sentence].isReleased = true
    }

    /// No sentences follow: the reply has this many, counted from its first ever.
    package mutating func complete(_ reply: ReplyNumber, sentences: Int) {
        guard let index = replies.firstIndex(where: { $0.number == reply }) else { return }
        if sentences == 0 { return remove(at: index) }
        replies[index].total = sentences
    }

    /// Forgets a reply that is not to be heard.
    package mutating func discard(_ reply: ReplyNumber) {
        guard let index = replies.firstIndex(where: { $0.number == reply }) else { return }
        remove(at: index)
    }

    /// The backend has played the reply up to here. Positions only grow.
    package mutating func acknowledge(_ reply: ReplyNumber, upTo position: SessionTime) {
        guard let index = replies.firstIndex(where: { $0.number == reply }) else { return }
        let known = min(position.samples, replies[index].position)
        replies[index].acknowledged = max(replies[index].acknowledged, known)
    }

    // MARK: What is known

    /// The reply being heard (or paused); nil before its first audio was sent.
    package var currentReply: ReplyNumber? { current.map { replies[$0].number } }

    /// What of a reply has been heard so far; nil where it is not known.
    package func heardSoFar(of reply: ReplyNumber) -> SessionTime? {
        replies.first { $0.number == reply }.map { SessionTime(samples: heard($0)) }
    }

    /// Position of the reply's next sample to send.
    package func position(of reply: ReplyNumber) -> SessionTime? {
        replies.first { $0.number == reply }.map { SessionTime(samples: $0.position) }
    }

    /// The words of a sentence as marked so far.
    package func words(of sentence: SentenceID) -> [SpokenWord] {
        place(of: sentence).map { replies[$0.reply].sentences[$0.sentence].marks } ?? []
    }

    /// The sentence's audio so far, skipped samples included.
    package func samples(of sentence: SentenceID) -> SessionTime {
        guard let place = place(of: sentence) else { return .zero }
        let found = replies[place.reply].sentences[place.sentence]
        return SessionTime(samples: found.length + found.skipped - found.toSkip)
    }

    /// The sentence is announced and has not all of its audio.
    package func awaitsAudio(of sentence: SentenceID) -> Bool {
        place(of: sentence).map { !replies[$0.reply].sentences[$0.sentence].isFinished } ?? false
    }

    // MARK: Helpers

    var current: Int? { replies.firstIndex { $0.hasStarted } }

    private mutating func makeReply(_ number: ReplyNumber) -> Int {
        if let index = replies.firstIndex(where: { $0.number == number }) { return index }
        let index = replies.firstIndex { $0.number > number } ?? replies.endIndex
        replies.insert(Reply(number: number), at: index)
        return index
    }

    private func place(of sentence: SentenceID) -> (reply: Int, sentence: Int)? {
        guard let reply = replies.firstIndex(where: { $0.number == sentence.reply }),
            let index = replies[reply].sentences.lastIndex(where: { $0.id == sentence })
        else { return nil }
        return (reply, index)
    }

    mutating func remove(at index: Int) {
        let reply = replies.remove(at: index)
        for sentence in reply.sentences { waiting -= sentence.audio.count }
    }

    /// The sentence is over: its audio is not needed any more.
    mutating func drop(reply: Int, sentence: Int) {
        waiting -= replies[reply].sentences[sentence].audio.count
        replies[reply].sentences[sentence].audio = []
        replies[reply].sentences[sentence].isOver = true
    }
}

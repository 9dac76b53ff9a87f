package import Audio

/// The end of a reply, and what was heard of it.
extension Playout {
    /// Stops the reply being heard, or else the first one that is to be, for good; the client must drop what it has of it. Ends a
    /// pause. Answers what was heard; nil if there is no reply.
    package mutating func stop(_ now: Int64) -> HeardReport? {
        clock = max(clock, now)
        isPaused = false
        guard let index = current ?? replies.firstIndex(where: \.isOpen) else { return nil }
        return end(index)
    }

    /// Stops this reply for good, whether it is being heard or waits for its turn. Answers what was heard; nil if there is no such
    /// reply. Ends a pause, unless another reply is the one that is paused.
    package mutating func stop(_ reply: ReplyNumber, _ now: Int64) -> HeardReport? {
        clock = max(clock, now)
        guard let index = replies.firstIndex(where: { $0.number == reply && $0.isOpen }) else { return nil }
        if current.map({ $0 == index }) ?? true { isPaused = false }
        return end(index)
    }

    private mutating func end(_ index: Int) -> HeardReport {
        let report = report(on: replies[index], heard: heard(replies[index]))
        if replies[index].hasStarted { playedOut = clock }
        remove(at: index)
        return report
    }

    /// Lets the sentence being heard end, and drops the rest of its reply. `clearing`: the client drops what it has in any case.
    package mutating func stopAtSentenceEnd(_ now: Int64, clearing: Bool = false) -> SentenceStop {
        clock = max(clock, now)
        guard let index = current else { return .stopped(stop(now)) }
        isPaused = false
        let position = heard(replies[index])
        let started = replies[index].sentences.indices.filter { replies[index].sentences[$0].hasStarted }
        let place = started.first { isGoingOn(replies[index].sentences[$0], at: position) } ?? started.last ?? 0
        let sentence = replies[index].sentences[place]
        let clears = clearing || sentence.isFinished && replies[index].position > sentence.end
        if clears { goBack(index) }
        replies[index].last = place
        for later in replies[index].sentences.indices.reversed() where later > place {
            drop(reply: index, sentence: later)
            replies[index].sentences.removeLast()
        }
        return .finishing(clear: clears ? replies[index].number : nil)
    }

    private func isGoingOn(_ sentence: Sentence, at position: Int64) -> Bool {
        !sentence.isFinished || sentence.end > position
    }

    func report(on reply: Reply, heard position: Int64) -> HeardReport {
        var sentences: [HeardReport.Sentence] = []
        for sentence in reply.sentences where sentence.hasStarted {
            let samples = min(position - sentence.start, sentence.length)
            guard samples > 0 else { continue }
            sentences.append(heard(sentence, samples: samples))
        }
        let total = reply.total ?? .max
        let isComplete =
            reply.sentences.last.map {
                Int($0.id.index) + 1 >= total && $0.isFinished && $0.hasStarted && $0.end <= position
            } ?? false
        let isExact = settings.hasMarks || isComplete || position == reply.origin && !reply.hasStarted
        return HeardReport(
            reply: reply.number, heard: SessionTime(samples: position),
            error: isExact ? .zero : .milliseconds(Int64(settings.leadMilliseconds)),
            text: sentences.map(\.text).filter { !$0.isEmpty }.joined(separator: " "), sentences: sentences,
            isComplete: isComplete)
    }

    private func heard(_ sentence: Sentence, samples: Int64) -> HeardReport.Sentence {
        let heard = SessionTime(samples: samples + sentence.skipped)
        if sentence.isFinished, samples >= sentence.length {
            return .init(id: sentence.id, heard: heard, text: sentence.text, isComplete: true)
        }
        let timeline = timeline(of: sentence)
        return .init(id: sentence.id, heard: heard, text: timeline.heard(upTo: heard.samples).text, isComplete: false)
    }

    private func timeline(of sentence: Sentence) -> WordTimeline {
        let total = expectedLength(of: sentence)
        guard !sentence.marks.isEmpty else { return WordTimeline(text: sentence.text, samples: total) }
        let marks = sentence.marks.map { WordTimeline.Mark(word: $0.word, start: $0.start.samples, end: $0.end.samples) }
        return WordTimeline(text: sentence.text, marks: marks, samples: total)
    }

    /// The length of a sentence of which not all audio has come: about 15 characters a second, the usual rate of speech.
    private func expectedLength(of sentence: Sentence) -> Int64 {
        let known = sentence.length + sentence.skipped
        if sentence.isFinished { return known }
        return max(known + 1, sentence.marks.last?.end.samples ?? 0, Int64(sentence.text.count) * 16_000 / 15)
    }
}

/// The sentence that the caller hears.
package struct SentenceBeingHeard: Sendable, Hashable {
    package var id: SentenceID
    /// Samples of it that were heard, from its first.
    package var heard: SessionTime
    /// While neither changes, nor does where its words lie.
    package var marks: Int
    package var expectedSamples: Int64
}

extension Playout {
    /// The sentence that the caller hears, or heard last of a reply that is not over; nil before the first.
    package var sentenceBeingHeard: SentenceBeingHeard? {
        guard let current else { return nil }
        let reply = replies[current]
        let position = heard(reply)
        guard let sentence = reply.sentences.last(where: { $0.hasStarted && $0.start <= position }) else { return nil }
        return SentenceBeingHeard(
            id: sentence.id, heard: SessionTime(samples: min(position - sentence.start, sentence.length) + sentence.skipped),
            marks: sentence.marks.count, expectedSamples: expectedLength(of: sentence))
    }

    /// Where the words of a sentence lie, as far as is known; nil for one that playout does not have.
    package func timeline(of id: SentenceID) -> WordTimeline? {
        replies.first { $0.number == id.reply }?.sentences.last { $0.id == id }.map(timeline)
    }
}

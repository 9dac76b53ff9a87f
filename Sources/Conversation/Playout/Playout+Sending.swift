package import Audio

/// Real time: what is due is sent, what has been played is reported.
extension Playout {
    /// Sends what is due at `now` and answers what has happened, mostly nothing. Call it about once in a frame's time; after a late
    /// call it sends what is missing, never more than the lead ahead. `send` gets samples at 16 kHz mono, their reply, and the
    /// position of the first one in it; it must not use this value. Nothing is allocated unless something happens.
    package mutating func advance(
        to now: Int64, send: (_ samples: Span<Int16>, _ reply: ReplyNumber, _ first: SessionTime) -> Void
    ) -> [PlayoutEvent] {
        clock = max(clock, now)
        var events: [PlayoutEvent] = []
        guard !isPaused else { return events }
        reportPlayed(&events)
        if let index = current ?? next {
            sendDue(index, &events, send)
            reportPlayed(&events)
        }
        return events
    }

    /// The caller takes nothing at the moment: the position stands still until `now`.
    package mutating func stall(_ now: Int64) {
        if playedOut > clock { playedOut += max(0, now - clock) }
        clock = max(clock, now)
    }

    /// Stands still where the caller is; what was sent but not played yet will be sent again. Answers the reply whose audio the
    /// client must drop; nil if it has none. While paused no reply begins.
    package mutating func pause(_ now: Int64) -> ReplyNumber? {
        clock = max(clock, now)
        guard !isPaused else { return nil }
        isPaused = true
        guard let index = current else { return nil }
        goBack(index)
        return replies[index].number
    }

    /// Sends nothing more; what was sent is played to its end. For a client that must not drop audio. While held no reply begins.
    package mutating func hold(_ now: Int64) {
        clock = max(clock, now)
        isPaused = true
    }

    /// Goes on from where the caller was at the pause, or behind what it had.
    package mutating func resume(_ now: Int64) {
        clock = max(clock, now)
        isPaused = false
    }

    /// Samples of the reply that the caller has played, or will have acknowledged.
    func heard(_ reply: Reply) -> Int64 {
        guard !settings.hasMarks else { return max(reply.origin, reply.acknowledged) }
        return played(reply)
    }

    private func played(_ reply: Reply) -> Int64 {
        let ahead = max(0, playedOut - clock)
        return max(reply.origin, reply.position - (ahead + Self.nanosecondsPerSample - 1) / Self.nanosecondsPerSample)
    }

    /// What is sent next is what the caller hears next.
    mutating func goBack(_ index: Int) {
        // Marks may lag behind sentences whose audio has been given back.
        let kept = replies[index].sentences.last { $0.isOver }?.end ?? replies[index].origin
        let position = max(heard(replies[index]), kept)
        playedOut = clock
        replies[index].position = position
        while replies[index].cursor > 0, replies[index].sentences[replies[index].cursor - 1].end > position {
            replies[index].cursor -= 1
        }
    }

    /// The first reply that has something to say.
    private var next: Int? {
        replies.firstIndex { reply in
            reply.isOpen && reply.sentences.contains { $0.isReleased && ($0.length > 0 || $0.isFinished) }
        }
    }

    // MARK: Sending

    private mutating func sendDue(
        _ index: Int, _ events: inout [PlayoutEvent],
        _ send: (_ samples: Span<Int16>, _ reply: ReplyNumber, _ first: SessionTime) -> Void
    ) {
        let horizon = clock + Int64(settings.leadMilliseconds) * 1_000_000
        while playedOut < horizon {
            enterSentence(index)
            let count = ready(index)
            guard count > 0 else { return noteGap(index, &events) }
            start(index, &events)
            let place = replies[index].cursor
            let offset = Int(replies[index].position - replies[index].sentences[place].start)
            let audio = replies[index].sentences[place].audio
            send(
                audio.span.extracting(offset..<offset + count), replies[index].number,
                SessionTime(samples: replies[index].position))
            replies[index].position += Int64(count)
            playedOut = max(playedOut, clock) + Int64(count) * Self.nanosecondsPerSample
        }
    }

    /// Moves on to the sentence that the position lies in.
    private mutating func enterSentence(_ index: Int) {
        while replies[index].cursor < replies[index].sentences.count {
            let place = replies[index].cursor
            if !replies[index].sentences[place].hasStarted {
                replies[index].sentences[place].start = replies[index].position
            }
            let sentence = replies[index].sentences[place]
            guard sentence.isFinished, sentence.isReleased, replies[index].position >= sentence.end else { return }
            replies[index].sentences[place].hasStarted = true
            replies[index].hasStarted = true
            replies[index].cursor += 1
        }
    }

    /// Samples that can be sent now: a frame, or what is left of the sentence, or what there is if the caller is about to have
    /// nothing.
    private func ready(_ index: Int) -> Int {
        let reply = replies[index]
        guard reply.cursor < reply.sentences.count else { return 0 }
        let sentence = reply.sentences[reply.cursor]
        guard sentence.isReleased else { return 0 }
        let left = Int(sentence.end - reply.position)
        let isUrgent = playedOut - clock < Int64(settings.frameSamples) * Self.nanosecondsPerSample
        guard left < settings.frameSamples else { return settings.frameSamples }
        return sentence.isFinished || isUrgent && reply.hasStarted ? left : 0
    }

    private mutating func start(_ index: Int, _ events: inout [PlayoutEvent]) {
        replies[index].isInGap = false
        let place = replies[index].cursor
        guard !replies[index].sentences[place].hasStarted else { return }
        replies[index].sentences[place].hasStarted = true
        if replies[index].position == replies[index].origin { events.append(.replyStarted(replies[index].number)) }
        replies[index].hasStarted = true
        events.append(.sentenceStarted(replies[index].sentences[place].id))
    }

    /// The caller has nothing to play although a sentence is on its way.
    private mutating func noteGap(_ index: Int, _ events: inout [PlayoutEvent]) {
        guard replies[index].hasStarted, !replies[index].isInGap, playedOut <= clock,
            replies[index].cursor < replies[index].sentences.count
        else { return }
        replies[index].isInGap = true
        underruns += 1
        events.append(.underrun(replies[index].number))
    }

    // MARK: Played

    private mutating func reportPlayed(_ events: inout [PlayoutEvent]) {
        guard let index = current else { return }
        let played = played(replies[index])
        for place in replies[index].sentences.indices {
            let sentence = replies[index].sentences[place]
            if sentence.isOver { continue }
            guard sentence.hasStarted, sentence.isFinished, sentence.end <= played else { break }
            drop(reply: index, sentence: place)
            events.append(.sentenceFinished(sentence.id))
        }
        guard isOver(replies[index]) else { return }
        let report = report(on: replies[index], heard: replies[index].position)
        remove(at: index)
        events.append(.replyFinished(report))
    }

    private func isOver(_ reply: Reply) -> Bool {
        if let last = reply.last { return reply.sentences[last].isOver }
        guard let total = reply.total, let end = reply.sentences.last else { return false }
        return Int(end.id.index) + 1 >= total && end.isOver
    }
}

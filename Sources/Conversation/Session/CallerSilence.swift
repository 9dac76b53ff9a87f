import Audio

/// The caller's audio on its way to the recogniser. While the caller is silent it goes in pieces: nobody waits for words in it, and a message for
/// every 20 ms costs more than all else that is done for a silent caller.
struct CallerSilence {
    static let piece = SessionTime.milliseconds(100)
    /// A recogniser's own end of speech waits for the silence behind it, which therefore goes at once.
    static let atOnce = SessionTime.milliseconds(1_000)

    /// Where the silence began, in session time; nil while the caller speaks, or may be speaking.
    var since: SessionTime?
    private var unsent = SampleBuffer()

    init(since: SessionTime) { self.since = since }

    /// Takes what comes next, heard at `now`; `send` gets what is due, in order.
    mutating func pass(_ samples: Span<Int16>, at now: SessionTime, send: (Span<Int16>) -> Void) {
        guard let since, now - since >= Self.atOnce else {
            flush(send: send)
            return send(samples)
        }
        unsent.append(samples)
        if unsent.length >= Self.piece { flush(send: send) }
    }

    mutating func flush(send: (Span<Int16>) -> Void) {
        guard !unsent.isEmpty else { return }
        send(unsent.samples.span)
        unsent.removeAll()
    }

    /// What was not sent is not wanted any more.
    mutating func forget() { unsent.removeAll() }
}

import Audio
package import NIOCore

/// Kept audio of the caller goes through the VAD at once, while the recogniser takes its time. Until it has caught up, timers of turn taking
/// stand still and the end of speech is held back: silence would otherwise end turns whose words nobody knows yet.
struct CatchUp {
    /// The kept messages arrive within this, in nanoseconds; they are on the same connection as the attach.
    static let longestReplay: Int64 = 1_000_000_000
    /// The recogniser is waited for this long behind the replay, in nanoseconds, plus a fifth of what is replayed.
    static let patience: Int64 = 1_500_000_000

    var isReplaying = true
    /// Monotonic nanoseconds.
    var until: Int64
    /// The end of speech that turn taking has not been told of.
    var heldEnd: SessionTime?
    var startedAt: SessionTime?

    init(until: Int64) { self.until = until }
}

extension VoiceSession {
    /// Audio that was kept while no session was there to hear it; `replayEnded` follows its last piece.
    package func keptAudio(_ bytes: ByteBuffer, sampleRate: Int, channels: Int) {
        guard isLive else { return }
        var next = catchUp ?? CatchUp(until: 0)
        next.isReplaying = true
        next.until = clock + CatchUp.longestReplay
        catchUp = next
        callerAudio(bytes, sampleRate: sampleRate, channels: channels, arrival: clock, isReplay: true)
    }

    /// All that was kept of the caller has been handled.
    package func replayEnded() {
        guard isLive, catchUp?.isReplaying == true else { return }
        catchUp?.isReplaying = false
        guard catchUp?.heldEnd != nil else { return endCatchUp() }
        catchUp?.until = clock + CatchUp.patience + (now - recognitionOrigin).samples * 62_500 / 5
        sendSilence()
        recognition?.finalize()
    }

    /// A final transcript has come: is it the one that covers the replayed speech?
    func caughtUp(with transcript: Transcript) {
        guard let catchUp, !catchUp.isReplaying, let end = catchUp.heldEnd else { return }
        // Recognisers and the VAD place the end of speech a little apart.
        let covers = transcript.end.map { $0 + recognitionOrigin + .milliseconds(400) >= end } ?? transcript.endsUtterance
        if covers { endCatchUp() }
    }

    func endCatchUpInTime(_ nanoseconds: Int64) {
        guard let catchUp, nanoseconds >= catchUp.until else { return }
        if catchUp.isReplaying { return replayEnded() }
        // Its words are still to come: the wait for them begins now.
        if catchUp.heldEnd != nil { self.catchUp?.heldEnd = now }
        endCatchUp()
    }

    private func endCatchUp() {
        let end = catchUp?.heldEnd
        catchUp = nil
        if let end { handle(.speechEnded(end: end)) }
        runTimers()
    }
}

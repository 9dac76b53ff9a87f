/// Turns caller audio and clock readings into session time: what speech detection and the recogniser are fed, in order.
///
/// A value without I/O. It is told of audio (`receive`) and of the time (`tick`, every 10-20 ms), always with the monotonic
/// clock's nanoseconds, and hands out segments through a closure before the call returns. The same calls give the same
/// segments, so a recording of the calls replays exactly. After warming up it allocates nothing.
///
/// Two audiences are served, and for each the segments are contiguous, in order, and every moment comes once:
/// - **turn taking** (speech detection, timers) defines session time. It gets the caller's audio as it comes; when audio is
///   more than 60 ms late, or there is none (mute, text only, stall), ticks feed it silence.
/// - **transcription** gets the same, except that silence is withheld for up to 1 s: audio that comes late within that second
///   takes the silence's place, and advances no timer again. Audio older than that is dropped and counted.
///
/// The first audio after silence is held for up to 40 ms, because how fast it comes says what it is: a burst is the audio of
/// the stall and ends now, audio at real-time pace is new. A burst that is still coming is gathered for up to 1 s.
///
/// Session time stays with the clock. A client whose clock runs fast or slow (up to 3,000 ppm) is followed by leaving out or
/// repeating single samples once it is 20 ms off. Live audio that comes faster than real time without a stall before it, e.g.
/// Pipecat's packet of 2 s at its EndFrame, is accepted at once up to `maximumLead` ahead of the clock; the rest is
/// dropped and counted, and the lead is worked off at 1.5 %. Replay after a takeover (`pace: .fullSpeed`) knows no such bound.
package struct SessionTimeline: Sendable {
    /// Thresholds, in session time. The defaults are those of the architecture.
    package struct Settings: Sendable, Hashable {
        /// How late the next packet may be before silence takes its place.
        package var lateness = SessionTime.milliseconds(60)
        /// How long silence waits for the audio it stands for.
        package var replacementWindow = SessionTime.milliseconds(1_000)
        /// How long the first audio after silence is held to tell a burst from new audio.
        package var hold = SessionTime.milliseconds(40)
        /// How far live audio may run ahead of the clock: Pipecat's 2 s packet, and jitter.
        package var maximumLead = SessionTime.milliseconds(2_500)

        package init() {}
    }

    /// Who a segment is for.
    package enum Audience: Sendable, Hashable {
        /// Caller audio in time: advances both.
        case everyone
        /// Silence for speech detection and timers; transcription may yet get audio for it.
        case turnTaking
        /// Late audio, or silence that is final: for the recogniser only, advances no timer.
        case transcription
    }

    /// A run of samples at a position; the samples come beside it in the closure.
    package struct Segment: Sendable, Hashable {
        package let audience: Audience
        /// Session time of the first sample.
        package let position: SessionTime
        package let length: SessionTime
        /// True if no caller audio stands behind it; the samples are zeros.
        package let isSilence: Bool

        package var end: SessionTime { position + length }
    }

    /// How audio enters session time.
    package enum Pace: Sendable, Hashable {
        /// As it is spoken: session time stays with the clock.
        case live
        /// Kept audio after a takeover or an attach: session time advances by all of it at once, and the clock goes on from
        /// there. To be followed by live audio, not mixed with it.
        case fullSpeed
    }

    /// What was done to the caller's audio so far.
    package struct Statistics: Sendable, Hashable {
        /// Times that input became late after it had been flowing.
        package var stalls = 0
        /// Silence fed to turn taking.
        package var silence = SessionTime.zero
        /// Late audio that took the place of silence for transcription.
        package var replaced = SessionTime.zero
        /// Audio dropped because it came more than the replacement window late.
        package var droppedLate = SessionTime.zero
        /// Live audio dropped because it ran further ahead of the clock than allowed.
        package var droppedAhead = SessionTime.zero
        /// Samples left out to follow a fast client.
        package var leftOut = SessionTime.zero
        /// Samples repeated to follow a slow client.
        package var repeated = SessionTime.zero
    }

    package typealias Delivery = (_ segment: Segment, _ samples: Span<Int16>) -> Void

    package let settings: Settings
    package internal(set) var statistics = Statistics()

    var clock: SessionClock
    var phase = Phase.unstarted
    var drift = DriftCorrection()
    /// Samples until the next packet is due: the length of the last one, at most 1 s.
    var interval = SessionTime.milliseconds(20)
    /// End of what turn taking was fed: session time.
    var fed: SessionTime
    /// End of what transcription was fed; behind `fed` by the silence that is withheld.
    var transcribed: SessionTime
    /// End of the last caller audio.
    var heard: SessionTime
    /// Audio whose place is not decided; see `Phase.holding`.
    var held = SampleBuffer()

    enum Phase: Sendable, Hashable {
        case unstarted
        /// Audio is coming; everything is fed to both audiences as it comes.
        case flowing
        /// No audio: ticks feed turn taking.
        case silent
        /// Audio came after silence and is gathered in `held`.
        case holding(Hold)
    }

    /// - Parameter position: where session time goes on, e.g. the last position in the log after a takeover.
    package init(startingAt position: SessionTime = .zero, settings: Settings = Settings()) {
        self.settings = settings
        clock = SessionClock(position: position)
        fed = position
        transcribed = position
        heard = position
    }

    /// Session time: the end of what turn taking was fed. Never decreases.
    package var position: SessionTime { fed }

    /// The end of what transcription was fed; at most the replacement window behind `position`.
    package var transcribedPosition: SessionTime { transcribed }

    /// Whether caller audio is coming in time.
    package var isReceivingAudio: Bool { phase == .flowing }

    /// Takes caller audio (16 kHz mono) that arrived at `now`, monotonic nanoseconds; a reading older than an earlier one
    /// counts as that one.
    package mutating func receive(
        _ samples: Span<Int16>, at now: UInt64, pace: Pace = .live, deliver: Delivery
    ) {
        guard !samples.isEmpty else { return }
        let length = SessionTime(samples: samples.count)
        if phase == .unstarted {
            clock.anchor(fed + length, at: now)
            phase = .flowing
        }
        let time = clock.read(now)
        guard pace == .live else { return replay(samples, at: now, time: time, deliver: deliver) }
        interval = min(length, .milliseconds(1_000))
        switch phase {
        case .unstarted, .flowing:
            feedLive(samples, time: time, deliver: deliver)
        case .silent:
            feedSilence(to: time - interval, deliver: deliver)
            phase = .holding(Hold(at: time))
            hold(samples, time: time, deliver: deliver)
        case .holding:
            hold(samples, time: time, deliver: deliver)
        }
    }

    /// Takes the time, `now` in monotonic nanoseconds, and feeds the silence that is due. Every 10-20 ms is enough; more
    /// seldom delays silence, never audio.
    package mutating func tick(at now: UInt64, deliver: Delivery) {
        if phase == .unstarted {
            clock.anchor(fed, at: now)
            phase = .silent
        }
        let time = clock.read(now)
        settle(time: time, deliver: deliver)
        switch phase {
        case .unstarted, .silent:
            feedSilence(to: time - interval, deliver: deliver)
        case .flowing:
            guard time - fed > interval + settings.lateness else { return }
            phase = .silent
            statistics.stalls += 1
            feedSilence(to: time - interval, deliver: deliver)
        case .holding(let hold):
            // New audio is about to fill this time; what a burst will fill is past.
            if hold.isBurst { feedSilence(to: time - interval, deliver: deliver) }
        }
    }

    private mutating func replay(_ samples: Span<Int16>, at now: UInt64, time: SessionTime, deliver: Delivery) {
        if case .holding(let hold) = phase {
            place(from: time - hold.received, grace: interval, time: time, deliver: deliver)
        }
        releaseSilence(to: fed, deliver: deliver)
        feed(samples, deliver: deliver)
        clock.anchor(fed, at: now)
        phase = .flowing
        drift.restart(at: fed)
    }
}

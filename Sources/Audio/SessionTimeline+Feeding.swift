extension SessionTimeline {
    /// Zeros that silence is cut from; 100 ms, so that a tick is one segment.
    private static let zeros = [Int16](repeating: 0, count: 1_600)

    /// Feeds live audio to everyone, within the allowed lead and with the correction for drift.
    mutating func feedLive(_ samples: Span<Int16>, time: SessionTime, deliver: Delivery) {
        let room = max(.zero, time + settings.maximumLead - fed)
        let taken = Int(min(room.samples, Int64(samples.count)))
        statistics.droppedAhead += SessionTime(samples: samples.count - taken)
        guard taken > 0 else { return }
        let surplus = drift.samplesToLeaveOut(of: taken)
        feed(samples.extracting(0..<taken - max(0, surplus)), deliver: deliver)
        if surplus > 0 { statistics.leftOut += SessionTime(samples: surplus) }
        if surplus < 0 {
            feed(samples.extracting(taken + surplus..<taken), deliver: deliver)
            statistics.repeated += SessionTime(samples: -surplus)
        }
        drift.observe(lag: time - fed, at: fed)
    }

    /// Feeds audio to everyone; nothing is withheld from transcription at this point.
    mutating func feed(_ samples: Span<Int16>, deliver: Delivery) {
        guard !samples.isEmpty else { return }
        let segment = Segment(
            audience: .everyone, position: fed, length: SessionTime(samples: samples.count), isSilence: false)
        fed = segment.end
        transcribed = fed
        heard = fed
        deliver(segment, samples)
    }

    /// Feeds turn taking silence up to `end`, and transcription what has waited for the whole replacement window.
    mutating func feedSilence(to end: SessionTime, deliver: Delivery) {
        while fed < end {
            let length = min(end - fed, SessionTime(samples: Self.zeros.count))
            let segment = Segment(audience: .turnTaking, position: fed, length: length, isSilence: true)
            fed = segment.end
            statistics.silence += length
            deliver(segment, Self.zeros.span.extracting(0..<Int(length.samples)))
        }
        releaseSilence(to: fed - settings.replacementWindow, deliver: deliver)
    }

    /// Makes the silence withheld from transcription final, up to `end`.
    mutating func releaseSilence(to end: SessionTime, deliver: Delivery) {
        while transcribed < end {
            let length = min(end - transcribed, SessionTime(samples: Self.zeros.count))
            let segment = Segment(audience: .transcription, position: transcribed, length: length, isSilence: true)
            transcribed = segment.end
            deliver(segment, Self.zeros.span.extracting(0..<Int(length.samples)))
        }
    }
}

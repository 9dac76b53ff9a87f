extension SessionTimeline {
    /// Audio that came after silence, while it is not known whether it is late or new.
    struct Hold: Sendable, Hashable {
        /// Clock at the first packet.
        let start: SessionTime
        /// All audio received since, dropped or not.
        var received = SessionTime.zero
        /// The oldest of it, already dropped.
        var dropped = SessionTime.zero
        /// Clock at the start of the window in which the pace is measured, and audio received in it.
        var windowStart: SessionTime
        var windowReceived = SessionTime.zero
        /// Whether an earlier window showed audio faster than real time.
        var isBurst = false

        init(at time: SessionTime) {
            start = time
            windowStart = time
        }
    }

    /// Audio that is held at most: what may replace silence and what may run ahead.
    private var holdCapacity: Int { Int((settings.replacementWindow + settings.maximumLead).samples) }

    /// Adds to what is held and decides if that is possible. What exceeds the bound is dropped, oldest first.
    mutating func hold(_ samples: Span<Int16>, time: SessionTime, deliver: Delivery) {
        guard case .holding(var hold) = phase else { return }
        let length = SessionTime(samples: samples.count)
        hold.received += length
        hold.windowReceived += length
        held.append(samples)
        let surplus = max(0, held.count - holdCapacity)
        held.removeFirst(surplus)
        hold.dropped += SessionTime(samples: surplus)
        phase = .holding(hold)
        settle(time: time, deliver: deliver)
    }

    /// Decides where the held audio belongs, once that is known.
    mutating func settle(time: SessionTime, deliver: Delivery) {
        guard case .holding(var hold) = phase else { return }
        if hold.received + interval >= time - heard {
            // It fills all that is missing: the stream has caught up and continues where it broke off.
            return place(from: heard, grace: .zero, time: time, deliver: deliver)
        }
        let elapsed = time - hold.windowStart
        guard elapsed >= settings.hold else { return }
        let isFast = hold.windowReceived > elapsed * 2 + interval
        guard isFast, time - hold.start < settings.replacementWindow else {
            // The newest sample was spoken just now. Up to one packet of overlap with silence is a matter of packet borders.
            return place(from: time - hold.received, grace: interval, time: time, deliver: deliver)
        }
        hold.isBurst = true
        hold.windowStart = time
        hold.windowReceived = .zero
        phase = .holding(hold)
    }

    /// Places the held audio at `start`: what is too old is dropped, what silence was fed for goes to transcription, the rest
    /// is live. From then on audio flows.
    mutating func place(from start: SessionTime, grace: SessionTime, time: SessionTime, deliver: Delivery) {
        guard case .holding(let hold) = phase else { return }
        var batch = SampleBuffer()
        swap(&batch, &held)
        var start = max(start, heard)
        if start + grace >= fed { start = fed }
        let first = min(start + hold.dropped, fed)
        let tooOld = Int(min(max(0, (transcribed - first).samples), Int64(batch.count)))
        statistics.droppedLate += hold.dropped + SessionTime(samples: tooOld)
        releaseSilence(to: first, deliver: deliver)
        let late = Int(min(max(0, (fed - transcribed).samples), Int64(batch.count - tooOld)))
        replaceSilence(batch.samples.span.extracting(tooOld..<tooOld + late), deliver: deliver)
        releaseSilence(to: fed, deliver: deliver)
        heard = fed
        phase = .flowing
        drift.restart(at: fed)
        feedLive(batch.samples.span.extracting(tooOld + late..<batch.count), time: time, deliver: deliver)
        batch.removeAll()
        swap(&batch, &held)
    }

    private mutating func replaceSilence(_ samples: Span<Int16>, deliver: Delivery) {
        guard !samples.isEmpty else { return }
        let segment = Segment(
            audience: .transcription, position: transcribed, length: SessionTime(samples: samples.count),
            isSilence: false)
        transcribed = segment.end
        statistics.replaced += segment.length
        deliver(segment, samples)
    }
}

/// A value that turn taking cannot work with.
package struct TurnSettingsError: Error, Sendable, Hashable, CustomStringConvertible {
    package var field: String
    package var value: String
    /// What is allowed, in words.
    package var range: String

    package var description: String { "\(field) is \(value); must be \(range)" }
}

extension TurnSettings {
    /// Throws `TurnSettingsError` for the first field out of its range.
    package func validate() throws(TurnSettingsError) {
        try check("min_delay_milliseconds", minDelayMilliseconds, 0...10_000)
        try check("silence_delay_milliseconds", silenceDelayMilliseconds, minDelayMilliseconds...20_000)
        try check("max_delay_milliseconds", maxDelayMilliseconds, silenceDelayMilliseconds...30_000)
        try check("transcript_wait_milliseconds", transcriptWaitMilliseconds, 0...10_000)
        try check("transcript_tolerance_milliseconds", transcriptToleranceMilliseconds, 0...1_000)
        try check("verdict_deadline_milliseconds", verdictDeadlineMilliseconds, 10...2_000)
        try check("verdict_threshold", verdictThreshold, 0...1)
        try check("sure_verdict", sureVerdict, verdictThreshold...1)
        try check("endpointing_alpha", endpointingAlpha, 0...1)
        try check("maximum_discards", maximumDiscards, 0...2)
        try check("interruption_min_milliseconds", interruptionMinMilliseconds, 0...5_000)
        try check("interruption_min_words", interruptionMinWords, 0...20)
        try check("backchannel_boundary_milliseconds", backchannelBoundaryMilliseconds, 0...5_000)
        try check("false_interruption_milliseconds", falseInterruptionMilliseconds, 100...10_000)
        try check("longest_pause_milliseconds", longestPauseMilliseconds, falseInterruptionMilliseconds...60_000)
        try check("echo_warm_up_milliseconds", echoWarmUpMilliseconds, 0...30_000)
        try check("idle_milliseconds", idleMilliseconds, 0...3_600_000)
        try check("maximum_turn_milliseconds", maximumTurnMilliseconds, 0...3_600_000)
        try check("maximum_turn_words", maximumTurnWords, 0...100_000)
        try check("digit_wait_milliseconds", digitWaitMilliseconds, 0...30_000)
    }

    private func check<Value: Comparable>(
        _ field: String, _ value: Value, _ range: ClosedRange<Value>
    ) throws(TurnSettingsError) {
        guard !range.contains(value) else { return }
        let allowed = "\(range.lowerBound) to \(range.upperBound)"
        throw TurnSettingsError(field: field, value: "\(value)", range: allowed)
    }
}

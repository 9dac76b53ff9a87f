package import Audio

/// One line of a recording: an input and the session time at which it was handled. Handled in order by a `TurnTaking` with the
/// same settings, a recording gives the same effects again.
package struct TimedTurnInput: Sendable, Hashable, Codable {
    package var at: SessionTime
    package var input: TurnInput

    package init(at: SessionTime, input: TurnInput) {
        self.at = at
        self.input = input
    }
}

/// How a reply's audio is sent.
package struct PlayoutSettings: Sendable, Hashable {
    /// Samples sent at a time, at 16 kHz: 20 ms. A sentence's last frame may be shorter.
    package var frameSamples = 320
    /// How far ahead of real time audio is sent, in ms. More survives longer stalls of the network and this process; as long as the
    /// backend has no marks it is also the uncertainty of what was heard.
    package var leadMilliseconds = 160
    /// The backend reports what it has played (`Playout.acknowledge`), so the heard position is exact.
    package var hasMarks = false
    /// Unplayed audio kept at most, in samples: 120 s. What comes beyond is dropped and counted.
    package var maximumSamples = 120 * 16_000

    package init() {}
}

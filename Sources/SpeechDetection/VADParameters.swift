package import Audio

/// When probabilities of speech become speech. Lengths are in session time and are compared with whole windows of 32 ms:
/// a length is reached by the first window that ends at or after it.
package struct VADParameters: Sendable, Equatable {
    /// At or above this probability silence becomes speech.
    package var activation: Float
    /// Below this probability speech becomes silence. At most `activation`; the gap between them is the hysteresis.
    package var deactivation: Float
    /// How long speech must last, without a window of silence, to be reported.
    package var minSpeech: SessionTime
    /// How long silence must last to be reported.
    package var minSilence: SessionTime
    /// How much audio before a reported start belongs to the utterance: the soft beginning of a word.
    package var prefixPadding: SessionTime
    /// The weight of the past in the smoothed probability: 0 takes each window as it is.
    package var smoothing: Float
    /// The loudness, from 0 at -110 LUFS to 1 at -10 LUFS over 400 ms, below which nothing is speech. Nil measures none.
    package var minLoudness: Float?

    package init(
        activation: Float, deactivation: Float, minSpeech: SessionTime, minSilence: SessionTime,
        prefixPadding: SessionTime, smoothing: Float = 0, minLoudness: Float? = nil
    ) {
        self.activation = activation
        self.deactivation = min(deactivation, activation)
        self.minSpeech = minSpeech
        self.minSilence = minSilence
        self.prefixPadding = prefixPadding
        self.smoothing = smoothing
        self.minLoudness = minLoudness
    }

    /// Where the audio of an utterance begins whose speech was reported to start at `start`.
    package func audioStart(ofSpeechAt start: SessionTime) -> SessionTime {
        max(.zero, start - prefixPadding)
    }
}

extension VADParameters {
    /// Pipecat's defaults: one threshold, a loudness to reach, 0.2 s to start and to stop. Pipecat counts windows and rounds
    /// 0.2 s to six, hence 192 ms. The padding is its turn analyzer's.
    package static let pipecat = VADParameters(
        activation: 0.7, deactivation: 0.7, minSpeech: .milliseconds(192), minSilence: .milliseconds(192),
        prefixPadding: .milliseconds(500), minLoudness: 0.6)

    /// LiveKit Agents' defaults: quick to start, slow to stop, a smoothed probability.
    package static let livekit = VADParameters(
        activation: 0.5, deactivation: 0.35, minSpeech: .milliseconds(50), minSilence: .milliseconds(550),
        prefixPadding: .milliseconds(500), smoothing: 0.35)

    /// For barge-in: starts after two windows (64 ms of speech), stops after six (192 ms of silence), takes each window as it
    /// is. It leaves it to turn taking to tell a cough or a "mhm" from an interruption.
    package static let quick = VADParameters(
        activation: 0.5, deactivation: 0.35, minSpeech: .milliseconds(64), minSilence: .milliseconds(192),
        prefixPadding: .milliseconds(500))
}

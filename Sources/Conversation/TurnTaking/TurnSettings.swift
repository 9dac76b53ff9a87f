/// How the floor passes between caller and agent. Times are milliseconds of session time.
///
/// Profiles are `.balanced`, `.quick` and `.patient`; `.liveKitLike` and `.pipecatLike` have the defaults of those frameworks.
package struct TurnSettings: Sendable, Hashable, Codable {
    /// What ends the caller's turns.
    package enum EndOfTurn: String, Sendable, Hashable, Codable, CaseIterable {
        /// Transcript, silence and turn model.
        case automatic
        /// Only the client's `endOfTurnRequested` (push to talk), and `maximumTurnMilliseconds`.
        case manual
    }

    package enum Endpointing: String, Sendable, Hashable, Codable, CaseIterable {
        case fixed
        /// The shortest silence follows the caller's own pauses, see `DynamicEndpointing`.
        case dynamic
    }

    /// How much of a reply may be made before the turn is over.
    package enum Speculation: String, Sendable, Hashable, Codable, CaseIterable {
        case off
        /// The language model starts at a pause.
        case text
        /// Also the first sentence is synthesised, at a final transcript or a sure verdict.
        case speech
    }

    /// What the caller's speech does to a reply that is being heard.
    package enum Interruption: String, Sendable, Hashable, Codable, CaseIterable {
        /// Nothing: what is said over the agent is ignored.
        case off
        /// Speech of the minimum duration, or a final transcript, stops it.
        case immediate
        /// As `immediate`, but the sentence being heard is finished.
        case finishSentence
        /// Only speech of the minimum duration and words that is more than a back-channel stops it.
        case ignoreShort
        /// Speech of the minimum duration pauses it; words stop it, a false alarm lets it go on where it was.
        case smart
    }

    package var endOfTurn = EndOfTurn.automatic
    package var endpointing = Endpointing.fixed
    /// Weight of the old value in the moving average of `dynamic` endpointing, 0...1.
    package var endpointingAlpha = 0.9
    /// Silence after the end of speech that ends a turn which is complete by its words or the turn model.
    package var minDelayMilliseconds = 300
    /// Silence that ends a turn of which neither words nor turn model say anything.
    package var silenceDelayMilliseconds = 700
    /// Silence that ends a turn which is unfinished by its words or the turn model.
    package var maxDelayMilliseconds = 2_500
    /// Longest wait for a final transcript after the end of speech (the recogniser's P99); then the latest interim one counts.
    package var transcriptWaitMilliseconds = 800
    /// A final transcript this much before the end of speech still covers it: VADs place the end a little late.
    package var transcriptToleranceMilliseconds = 100
    /// Ask the turn model where the words leave the end of the turn open.
    package var asksTurnModel = true
    /// The turn model's answer is not waited for longer than this.
    package var verdictDeadlineMilliseconds = 250
    /// Probability from which the turn model's answer means complete.
    package var verdictThreshold = 0.5
    /// Probability from which a speculation may be synthesised before the final transcript is there.
    package var sureVerdict = 0.85
    package var speculation = Speculation.speech
    /// Speculations that may be thrown away in one turn; then nothing starts before the turn is over.
    package var maximumDiscards = 2
    package var interruption = Interruption.smart
    /// Speech over the agent that counts as an interruption.
    package var interruptionMinMilliseconds = 200
    /// Words that an interruption needs (`ignoreShort` and `smart`).
    package var interruptionMinWords = 1
    /// Phrases that tell the agent to go on, lower case without punctuation (`ignoreShort` and `smart`).
    package var backchannels = Self.englishBackchannels
    /// Words said over the last part of a reply, this long before its end, are an answer whatever they are.
    package var backchannelBoundaryMilliseconds = 1_000
    /// A paused reply goes on when no words came this long after the end of the speech that paused it.
    package var falseInterruptionMilliseconds = 2_000
    /// A paused reply goes on after this even while the caller makes noise, if no words came at all.
    package var longestPauseMilliseconds = 5_000
    /// During this time after the agent's first sound only a finished turn interrupts it: echo cancellation is learning.
    package var echoWarmUpMilliseconds = 0
    /// Silence of both after which the caller counts as away; 0 = never.
    package var idleMilliseconds = 15_000
    /// Longest turn; then it is answered even if the caller goes on. 0 = unlimited.
    package var maximumTurnMilliseconds = 60_000
    /// Most words without an answer; then it is answered even if the caller goes on. 0 = unlimited.
    package var maximumTurnWords = 0
    /// Wait for another key after a DTMF digit; `#` ends the input at once.
    package var digitWaitMilliseconds = 2_000

    package init() {}
}

extension TurnSettings {
    /// What English listeners say to show that they listen.
    package static let englishBackchannels = [
        "mhm", "mm", "mmm", "mm hm", "mm hmm", "hmm", "hm", "uh huh", "uhhuh", "uh", "um", "ah", "aha", "oh", "yeah",
        "yep", "yup",
        "yes", "ok", "okay", "right", "sure", "i see", "got it", "great", "good", "cool", "wow", "really", "exactly",
        "alright",
        "all right", "of course",
    ]

    /// Answers within a third of a second to complete sentences, waits for unfinished ones.
    package static let balanced = TurnSettings()

    /// For short questions and answers over good lines: 200 ms after complete sentences, and stops at the first sound.
    package static var quick: TurnSettings {
        var settings = TurnSettings()
        settings.minDelayMilliseconds = 200
        settings.silenceDelayMilliseconds = 450
        settings.maxDelayMilliseconds = 1_500
        settings.transcriptWaitMilliseconds = 600
        settings.interruptionMinMilliseconds = 0
        return settings
    }

    /// For callers who think while they speak.
    package static var patient: TurnSettings {
        var settings = TurnSettings()
        settings.endpointing = .dynamic
        settings.minDelayMilliseconds = 600
        settings.silenceDelayMilliseconds = 1_200
        settings.maxDelayMilliseconds = 4_000
        settings.transcriptWaitMilliseconds = 1_500
        settings.interruptionMinMilliseconds = 400
        settings.interruptionMinWords = 2
        return settings
    }

    /// The defaults of LiveKit Agents 1.7 without its turn detector.
    package static var liveKitLike: TurnSettings {
        var settings = TurnSettings()
        settings.minDelayMilliseconds = 500
        settings.silenceDelayMilliseconds = 500
        settings.maxDelayMilliseconds = 3_000
        settings.transcriptWaitMilliseconds = 2_000
        settings.asksTurnModel = false
        settings.speculation = .text
        settings.interruptionMinMilliseconds = 500
        settings.interruptionMinWords = 0
        settings.backchannels = []
        settings.echoWarmUpMilliseconds = 3_000
        return settings
    }

    /// The defaults of Pipecat 1.14 with Smart Turn v3.
    package static var pipecatLike: TurnSettings {
        var settings = TurnSettings()
        settings.minDelayMilliseconds = 200
        settings.silenceDelayMilliseconds = 200
        settings.maxDelayMilliseconds = 3_000
        settings.transcriptWaitMilliseconds = 1_000
        settings.speculation = .off
        settings.interruption = .immediate
        settings.interruptionMinMilliseconds = 0
        settings.interruptionMinWords = 0
        settings.backchannels = []
        settings.idleMilliseconds = 0
        return settings
    }
}

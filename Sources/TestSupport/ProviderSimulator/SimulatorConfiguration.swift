package import TestAudio

/// How the simulated providers behave. The defaults are the fixed delays of the benchmarks.
package struct SimulatorConfiguration: Sendable {
    /// The address to listen on; loopback, since anybody who reaches it can script it.
    package var host = "127.0.0.1"
    /// 0 takes a free port.
    package var port = 0
    /// Event loops; one serves a hundred calls.
    package var threads = 1
    /// The keys that are accepted, for every vendor alike; anything else is answered as the vendor answers a bad key.
    package var keys: Set<String> = ["simulator"]
    /// Seed of everything random: latencies, faults.
    package var seed: UInt64 = 1
    package var recognition = RecognitionBehaviour()
    package var language = LanguageBehaviour()
    package var speech = SpeechBehaviour()
    package var tools = ToolBehaviour()
    package var faults = FaultPlan()

    package init() {}
}

/// How the simulated recogniser hears.
package struct RecognitionBehaviour: Sendable {
    /// Milliseconds of speech between interim transcripts.
    package var interimEvery = 100
    /// From the end of speech to the final transcript, counted in audio: silence has to be sent.
    package var final = SimulatedLatency.fixed(100)
    /// Mean absolute sample above which 10 ms count as speech.
    package var threshold = 250
    /// A word is recognised every so many milliseconds, where the script does not say how long the speech is.
    package var wordEvery = 300
    /// Without audio or text for so many milliseconds the connection is closed, as Deepgram does.
    package var idleClose = 10_000
    /// What the callers say, in this order on every connection (or tag), from the start again at the end.
    package var script: [ScriptedUtterance] = defaultScript
    /// Recordings that are recognised by their samples; with them there is no script, and what is not among them is not understood.
    package var recordings: KnownSpeech?

    static let defaultScript = [
        "Hello, I saw your advertisement.", "My name is Anna Schmidt.", "I work for Northwind Traders.",
        "We need a phone system for forty people.", "Our budget is about twenty thousand euros.",
        "We want to start in March.",
        "No, that is all, thank you.",
    ].map { ScriptedUtterance($0) }
}

/// One thing a caller says.
package struct ScriptedUtterance: Sendable, Hashable {
    package var text: String
    /// How long saying it takes; pauses within that time do not end the utterance. Nil: the first long silence ends it.
    package var speechMilliseconds: Int?

    package init(_ text: String, speechMilliseconds: Int? = nil) {
        self.text = text
        self.speechMilliseconds = speechMilliseconds
    }
}

/// Recordings and what is said in them.
package struct KnownSpeech: Sendable {
    package let fingerprints: AudioFingerprints
    /// The words of each recording, spread evenly over it.
    package let words: [[String]]

    /// Throws where a recording could be taken for another one. At 16 kHz.
    package init(_ recordings: [(text: String, samples: [Int16])]) throws(AudioFingerprintsError) {
        fingerprints = try AudioFingerprints(recordings.map(\.samples))
        words = recordings.map { $0.text.split(separator: " ").map(String.init) }
    }
}

/// How the simulated tools work.
package struct ToolBehaviour: Sendable {
    /// From the request, at which the tool has run, to its answer.
    package var latency = SimulatedLatency.fixed(200)
}

/// How the simulated language models write.
package struct LanguageBehaviour: Sendable {
    package var firstToken = SimulatedLatency.fixed(150)
    package var perToken = SimulatedLatency.fixed(10)
    /// The first rule whose pattern is found in the last user message answers.
    package var rules: [LanguageRule] = []
    /// With it nothing else answers: the same words get the same answer, whoever asks and however often.
    package var book: AnswerBook?
    /// Without a rule: answers in turn, by the number of user messages so far. Nine words each.
    package var answers = [
        "Thanks for calling, may I ask for your name?", "Nice to meet you, which company are you with?",
        "I see, and what exactly does your team need?", "That sounds good, what budget have you set aside?",
        "Understood, and by when would you want to start?", "Wonderful, thank you, somebody will call you back soon.",
    ]
}

/// What a simulated model does when a pattern matches.
package struct LanguageRule: Sendable, Hashable {
    /// A regular expression, case ignored.
    package var match: String
    package var answer: String
    /// Calls made after the answer's text, arguments as JSON text. They come in fragments of a few characters.
    package var calls: [Call]
    /// What is said when the calls' results are in; without it, `answer` again is not repeated and the turn's default is said.
    package var afterCalls: String?

    package struct Call: Sendable, Hashable {
        package var name: String
        package var arguments: String
        package init(_ name: String, _ arguments: String) {
            self.name = name
            self.arguments = arguments
        }
    }

    package init(_ match: String, answer: String = "", calls: [Call] = [], afterCalls: String? = nil) {
        self.match = match
        self.answer = answer
        self.calls = calls
        self.afterCalls = afterCalls
    }
}

/// How the simulated voices speak.
package struct SpeechBehaviour: Sendable {
    package var firstByte = SimulatedLatency.fixed(100)
    /// Times real time at which audio is sent.
    package var pace = 5.0
    /// Milliseconds of audio in one message.
    package var chunk = 100
    /// ElevenLabs' bound of open contexts on one socket.
    package var elevenLabsContexts = 5
    /// Cartesia's bound of active contexts of one account.
    package var cartesiaContexts = 100
}

/// A delay in milliseconds.
package enum SimulatedLatency: Sendable, Hashable {
    case fixed(Double)
    /// Median and 95th percentile of a log-normal distribution.
    case lognormal(median: Double, p95: Double)

    func draw(using random: inout some RandomNumberGenerator) -> Double {
        switch self {
        case .fixed(let value): return value
        case .lognormal(let median, let p95):
            // p95 lies 1.645 standard deviations above the median.
            let sigma = logarithm(max(p95, median) / median) / 1.645
            return median * exponential(sigma * gaussian(using: &random))
        }
    }
}

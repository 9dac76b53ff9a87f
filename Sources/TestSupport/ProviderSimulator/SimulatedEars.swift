/// How a simulated recogniser understands: by a script, or really.
enum SimulatedEars {
    case scripted(SimulatedRecogniser)
    case knowing(KnowingRecogniser)

    init(_ behaviour: RecognitionBehaviour, rate: Int, interims: Bool) {
        if let recordings = behaviour.recordings {
            self = .knowing(KnowingRecogniser(recordings, behaviour, rate: rate, interims: interims))
        } else {
            self = .scripted(SimulatedRecogniser(behaviour, rate: rate, interims: interims))
        }
    }

    /// Samples heard so far.
    var heard: Int {
        switch self {
        case .scripted(let recogniser): recogniser.heard
        case .knowing(let recogniser): recogniser.heard
        }
    }

    /// `next` yields the script's next utterance, `finalMilliseconds` how long a final takes after the end of speech.
    mutating func hear(
        _ samples: some Sequence<Int16>, next: () -> (ScriptedUtterance, finalMilliseconds: Double),
        finalMilliseconds: () -> Double, _ emit: (SimulatedRecogniser.Output) -> Void
    ) {
        switch self {
        case .scripted(var recogniser):
            recogniser.hear(samples, next: next, emit)
            self = .scripted(recogniser)
        case .knowing(var recogniser):
            // The copy in `self` would make the recogniser copy its memory at the first sample.
            self = .scripted(SimulatedRecogniser(RecognitionBehaviour(), rate: 16_000, interims: false))
            recogniser.hear(samples, finalMilliseconds: finalMilliseconds, emit)
            self = .knowing(recogniser)
        }
    }

    /// The client wants what there is; false when there is nothing.
    mutating func finalize(_ emit: (SimulatedRecogniser.Output) -> Void) -> Bool {
        switch self {
        case .scripted(var recogniser):
            defer { self = .scripted(recogniser) }
            return recogniser.finalize(emit)
        case .knowing(var recogniser):
            defer { self = .knowing(recogniser) }
            return recogniser.finalize(emit)
        }
    }
}

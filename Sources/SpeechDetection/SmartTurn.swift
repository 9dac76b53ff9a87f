/// Smart Turn v3.2: tells a finished turn from a pause by its sound, in 23 languages. Loaded once.
///
/// A verdict costs tens of milliseconds of CPU: never run it on an event loop. It must be given speech: of nothing but zeros it
/// says 0.987.
package final class SmartTurn: EndOfTurnModel {
    /// The model's name among the model files.
    package static let fileName = "smart-turn-v3.2-cpu.onnx"
    /// The longest audio that counts, in samples at 16 kHz: 8 s.
    package static let maxSamples = LogMelExtractor.samples
    /// Above this probability the turn is complete, as its makers use it.
    package static let threshold: Float = 0.5

    private let session: OnnxSession

    /// Loads the model and runs it once, so that a wrong file is found now and not in a call.
    package init(files: ModelFiles, runtime: OnnxRuntime) throws(SpeechDetectionError) {
        session = try OnnxSession(
            path: files.model(Self.fileName), inputs: ["input_features"], outputs: ["logits"], runtime: runtime)
        do {
            let silence = [Int16](repeating: 0, count: 160)
            _ = try makePredictor().probability(of: silence.span)
        } catch {
            throw SpeechDetectionError(
                .modelInvalid,
                "\(files.directory)/\(Self.fileName) is not the model it should be; run ./deploy/fetch-models",
                cause: error)
        }
    }

    /// About 1 MB of buffers.
    package func makePredictor() throws(SpeechDetectionError) -> any EndOfTurnPredictor {
        try SmartTurnPredictor(session: session)
    }
}

/// One thread's use of Smart Turn. Not thread-safe.
final class SmartTurnPredictor: EndOfTurnPredictor {
    private let session: OnnxSession
    private let binding: OnnxBinding
    private let features: OnnxTensor
    private let output: OnnxTensor
    private let extractor = LogMelExtractor()

    init(session: OnnxSession) throws(SpeechDetectionError) {
        self.session = session
        features = try OnnxTensor(
            shape: [1, Int64(LogMelExtractor.mels), Int64(LogMelExtractor.frames)], runtime: session.runtime)
        output = try OnnxTensor(shape: [1, 1], runtime: session.runtime)
        binding = OnnxBinding(inputs: [features], outputs: [output])
    }

    func probability(of audio: Span<Int16>) throws(SpeechDetectionError) -> Float {
        unsafe extractor.extract(audio, into: features.elements)
        try session.run(binding)
        // The model's "logits" went through its own sigmoid already.
        return unsafe output.elements[0]
    }

    /// The features that the last prediction saw, `[80, 800]`; for comparison with the reference.
    var lastFeatures: [Float] {
        unsafe Array(features.elements)
    }
}

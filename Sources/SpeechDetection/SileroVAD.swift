/// The Silero voice activity model (6.2, its 16 kHz form), loaded once for all conversations.
package final class SileroVAD: Sendable {
    /// The samples at 16 kHz that a window adds: 32 ms.
    package static let windowLength = 512
    /// The samples of the previous window that the network sees before each window.
    package static let contextLength = 64
    /// The model's name among the model files.
    package static let fileName = "silero_vad_16k.onnx"

    private let session: OnnxSession

    /// Loads the model and runs it once, so that a wrong file is found now and not in a call.
    package init(files: ModelFiles, runtime: OnnxRuntime) throws(SpeechDetectionError) {
        session = try OnnxSession(
            path: files.model(Self.fileName), inputs: ["input", "state"], outputs: ["output", "stateN"],
            runtime: runtime)
        do {
            let silence = [Int16](repeating: 0, count: Self.contextLength + Self.windowLength)
            _ = try makeStream().probability(of: silence.span)
        } catch {
            throw SpeechDetectionError(
                .modelInvalid,
                "\(files.directory)/\(Self.fileName) is not the model it should be; run ./deploy/fetch-models",
                cause: error)
        }
    }

    /// The network's memory of one conversation, empty.
    package func makeStream() throws(SpeechDetectionError) -> SileroStream {
        try SileroStream(session: session)
    }
}

/// One conversation's pass through the shared Silero model: its recurrent state and its buffers, about 5 kB. Not thread-safe.
package final class SileroStream {
    private let session: OnnxSession
    private let binding: OnnxBinding
    private let input: OnnxTensor
    private let state: OnnxTensor
    private let output: OnnxTensor
    private let nextState: OnnxTensor

    init(session: OnnxSession) throws(SpeechDetectionError) {
        self.session = session
        let runtime = session.runtime
        input = try OnnxTensor(shape: [1, Int64(SileroVAD.contextLength + SileroVAD.windowLength)], runtime: runtime)
        state = try OnnxTensor(shape: [2, 1, 128], runtime: runtime)
        output = try OnnxTensor(shape: [1, 1], runtime: runtime)
        nextState = try OnnxTensor(shape: [2, 1, 128], runtime: runtime)
        binding = OnnxBinding(inputs: [input, state], outputs: [output, nextState])
    }

    /// The probability of speech in the last 512 of 576 samples, the first 64 being what came before them.
    ///
    /// Windows are to be given in order: each continues the state that the one before left.
    package func probability(of samples: Span<Int16>) throws(SpeechDetectionError) -> Float {
        let elements = unsafe input.elements
        precondition(samples.count == elements.count, "a window and its context are 576 samples")
        for index in samples.indices {
            unsafe elements[index] = Float(unsafe samples[unchecked: index]) * (1 / 32_768)
        }
        try session.run(binding)
        state.copy(from: nextState)
        return unsafe output.elements[0]
    }

    /// Forgets the conversation so far.
    package func reset() {
        state.clear()
    }
}

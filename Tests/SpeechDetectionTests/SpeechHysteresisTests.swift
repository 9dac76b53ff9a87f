import Audio
import Testing

@testable import SpeechDetection

@Suite("Speech hysteresis")
struct SpeechHysteresisTests {
    private static let window: Int64 = 512

    /// The changes, with positions in windows and the index of the window that brought each to light.
    private func changes(
        _ parameters: VADParameters, _ probabilities: [Float], loudness: [Float]? = nil
    ) -> [String] {
        var hysteresis = SpeechHysteresis(parameters)
        return probabilities.indices.compactMap { index in
            let start = SessionTime(samples: Int64(index) * Self.window)
            let change = hysteresis.handle(
                probability: probabilities[index], loudness: loudness?[index] ?? 1,
                window: start..<(start + SessionTime(samples: Self.window)))
            return switch change {
            case nil: nil
            case .started(let at): "started \(at.samples / Self.window) in \(index)"
            case .ended(let at): "ended \(at.samples / Self.window) in \(index)"
            }
        }
    }

    private func speech(_ runs: (Float, Int)...) -> [Float] {
        runs.flatMap { Array(repeating: $0.0, count: $0.1) }
    }

    @Test("quick starts after two windows and stops after six, dated to the first of each")
    func quick() {
        #expect(changes(.quick, speech((0, 5), (0.9, 10), (0, 10))) == ["started 5 in 6", "ended 15 in 20"])
    }

    @Test("pipecat needs six windows each way")
    func pipecat() {
        #expect(changes(.pipecat, speech((0, 5), (0.9, 10), (0.69, 10))) == ["started 5 in 10", "ended 15 in 20"])
        #expect(changes(.pipecat, speech((0, 5), (0.9, 5), (0, 10))) == [])
    }

    @Test("livekit smooths, starts after two windows and stops after eighteen")
    func livekit() {
        // Smoothed: 0.65 * 0.9 = 0.585 is speech at once; 0.35 * 0.9 = 0.315 is silence at once.
        #expect(changes(.livekit, speech((0, 5), (0.9, 10), (0, 20))) == ["started 5 in 6", "ended 15 in 32"])
        // 0.65 * 0.7 = 0.455 is not yet speech, the second window is.
        #expect(changes(.livekit, speech((0, 5), (0.7, 10))) == ["started 6 in 7"])
    }

    @Test("between the thresholds speech goes on, but none begins")
    func gapBetweenThresholds() {
        #expect(
            changes(.quick, speech((0.45, 20), (0.6, 2), (0.4, 20), (0.3, 6))) == [
                "started 20 in 21", "ended 42 in 47",
            ])
        #expect(changes(.pipecat, speech((0.8, 6), (0.65, 6))) == ["started 0 in 5", "ended 6 in 11"])
    }

    @Test("one window of silence makes a start begin anew")
    func interruptedStart() {
        #expect(changes(.pipecat, speech((0.9, 5), (0, 1), (0.9, 6))) == ["started 6 in 11"])
    }

    @Test("a pause shorter than the least silence does not end speech")
    func shortPause() {
        #expect(changes(.quick, speech((0.9, 4), (0, 5), (0.9, 1), (0, 6))) == ["started 0 in 1", "ended 10 in 15"])
    }

    @Test("what is not loud enough is not speech where loudness counts")
    func loudness() {
        let quiet = [Float](repeating: 0.59, count: 10)
        #expect(changes(.pipecat, speech((0.9, 10)), loudness: quiet) == [])
        #expect(changes(.livekit, speech((0.9, 10)), loudness: quiet) == ["started 0 in 1"])
    }

    @Test("finishing ends speech where it was last heard")
    func finish() {
        var hysteresis = SpeechHysteresis(.quick)
        let length = SessionTime(samples: Self.window)
        for index in 0..<4 as Range<Int64> {
            let start = SessionTime(samples: index * Self.window)
            _ = hysteresis.handle(probability: index < 3 ? 1 : 0, window: start..<(start + length))
        }
        #expect(hysteresis.isSpeaking)
        #expect(hysteresis.finish(at: length * 4) == .ended(at: length * 3))
        #expect(hysteresis.isQuiet)
        #expect(hysteresis.finish(at: length * 4) == nil)
    }

    @Test("audio of an utterance begins before its speech, never before the session")
    func padding() {
        #expect(VADParameters.quick.audioStart(ofSpeechAt: .milliseconds(700)) == .milliseconds(200))
        #expect(VADParameters.quick.audioStart(ofSpeechAt: .milliseconds(300)) == .zero)
    }
}

import Audio
import Foundation
import Glibc
import Testing

@testable import SpeechDetection

/// Prints what things cost where PARLEY_PRINT_COSTS is set.
func printCost(_ text: @autoclosure () -> String) {
    if ProcessInfo.processInfo.environment["PARLEY_PRINT_COSTS"] != nil { print("cost:", text()) }
}

@Suite("Costs", .serialized)
struct CostTests {
    private static let isMeasuring = ProcessInfo.processInfo.environment["PARLEY_PRINT_COSTS"] != nil

    /// CPU microseconds of the calling thread.
    private func threadTime() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) * 1e6 + Double(time.tv_nsec) / 1e3
    }

    /// The median CPU time of `body` in microseconds.
    private func median(_ runs: Int, _ body: () throws -> Void) rethrows -> Double {
        var times: [Double] = []
        for _ in 0..<runs {
            let start = threadTime()
            try body()
            times.append(threadTime() - start)
        }
        return times.sorted()[runs / 2]
    }

    @Test("behind a closed gate no window allocates")
    func closedGateAllocatesNothing() async {
        await #expect(processExitsWith: .success) {
            let detector = try VoiceActivityDetector(model: Models.load().vad, parameters: .pipecat)
            let frame = Noise.over([Int16](repeating: 0, count: 320), amplitude: 2)
            for _ in 0..<100 { try detector.process(frame.span, at: detector.position) { _ in } }
            Heap.exhaust()
            for _ in 0..<500 { try detector.process(frame.span, at: detector.position) { _ in } }
            _exit(detector.position.samples == 600 * 320 ? EXIT_SUCCESS : EXIT_FAILURE)
        }
    }

    @Test("windows that the network sees leave nothing behind on the heap")
    func networkLeavesNothingBehind() throws {
        let detector = try VoiceActivityDetector(model: Models.load().vad, parameters: .quick, gate: nil)
        let frame = Noise.over([Int16](repeating: 0, count: 320), amplitude: 3_000)
        var windows = 0
        func run(_ frames: Int) throws {
            for _ in 0..<frames {
                try detector.process(frame.span, at: detector.position) { if case .window = $0 { windows += 1 } }
            }
        }
        try run(400)
        // Other tests allocate at the same time, so the least of many attempts counts: what grows per window shows in each.
        var least = Int.max
        var attempts = 0
        while attempts < 100, least > 0 {
            let before = try Heap.bytesInUse()
            try run(100)
            let after = try Heap.bytesInUse()
            least = min(least, abs(after - before))
            attempts += 1
        }
        let perAttempt = windows / (attempts + 4)
        // The smallest block of the heap takes 32 bytes, so one that every window left behind would be twice this; below it is the noise of
        // tests that run at the same time.
        #expect(least < 16 * perAttempt, "bytes in \(perAttempt) windows")
    }

    @Test("what windows and verdicts cost", .enabled(if: isMeasuring))
    func costs() throws {
        let models = try Models.load()
        let (track, _) = try Clips.track()
        let windows = stride(from: 0, to: track.count - 576, by: 512).map { Array(track[$0..<($0 + 576)]) }
        let stream = try models.vad.makeStream()
        var index = 0
        let network = try median(3_000) {
            let window = windows[index % windows.count]
            _ = try stream.probability(of: window.span)
            index += 1
        }
        print("cost: VAD network \(network) us a window")
        for (name, parameters) in [("quick", VADParameters.quick), ("pipecat", .pipecat)] {
            let detector = try VoiceActivityDetector(model: models.vad, parameters: parameters)
            let silence = Noise.over([Int16](repeating: 0, count: 512), amplitude: 2)
            let gated = try median(3_000) { try detector.process(silence.span, at: detector.position) { _ in } }
            print("cost: gate-only window \(gated) us (\(name))")
        }
        let speaking = try VoiceActivityDetector(model: models.vad, parameters: .quick, gate: nil)
        let whole = try median(20) { _ = try speaking.run(track) } / Double(track.count / 512)
        print(
            "cost: detector without gate \(whole) us a window, the track of \(track.count / 16_000) s in 20 ms frames")
        let gated = try median(20) {
            _ = try VoiceActivityDetector(model: models.vad, parameters: .quick).run(track)
        }
        print("cost: detector with gate \(gated / Double(track.count / 512)) us a window of the track")

        let extractor = LogMelExtractor()
        let features = UnsafeMutableBufferPointer<Float>.allocate(capacity: 64_000)
        defer { features.deallocate() }
        for (name, audio) in [("8 s", track), ("2 s", Array(track.suffix(32_000)))] {
            let time = median(50) { extractor.extract(audio.span, into: features) }
            print("cost: features of \(name) \(time / 1_000) ms")
        }
        let predictor = try models.turn.makePredictor()
        let verdict = try median(30) { _ = try predictor.probability(of: track.span) }
        print("cost: verdict with features \(verdict / 1_000) ms")
    }
}

import Audio
import Foundation

@testable import SpeechDetection

/// The models that `deploy/fetch-models` installs. Tests that need them fail with its hint where they are missing.
struct Models {
    let vad: SileroVAD
    let turn: SmartTurn

    static func files() -> ModelFiles {
        var environment = ProcessInfo.processInfo.environment
        let package = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        if environment["PARLEY_MODELS_DIR", default: ""].isEmpty {
            environment["PARLEY_MODELS_DIR"] = package.appending(path: ".local/models").path
        }
        return ModelFiles(environment: environment)
    }

    private static let shared = Result<Models, any Error> {
        let files = Self.files()
        let runtime = try OnnxRuntime(files: files)
        return Models(
            vad: try SileroVAD(files: files, runtime: runtime), turn: try SmartTurn(files: files, runtime: runtime))
    }

    static func load() throws -> Models {
        try shared.get()
    }
}

/// Spoken clips and what the published Python code says of them; see reference/make_reference.py.
enum Clips {
    static let names = ["slt", "rms", "awb", "espeak"]
    /// The silence that make_reference.py leaves before and after the speech of a clip.
    static let margin = 800

    static func data(_ name: String) throws -> Data {
        // Not `resourceURL`: whether that is the folder itself depends on the platform.
        try Data(contentsOf: Bundle.module.bundleURL.appending(path: "Resources/\(name)"))
    }

    static func samples(_ name: String) throws -> [Int16] {
        try data("\(name).wav").dropFirst(44).numbers(Int16.self)
    }

    /// All clips in a row: half a second of silence, then each clip and a second of silence.
    static func track() throws -> (samples: [Int16], speech: [Range<Int>]) {
        var samples = [Int16](repeating: 0, count: 8_000)
        var speech: [Range<Int>] = []
        for name in names {
            let clip = try Self.samples(name)
            speech.append((samples.count + margin)..<(samples.count + clip.count - margin))
            samples += clip + [Int16](repeating: 0, count: 16_000)
        }
        return (samples, speech)
    }

    static func vadReference() throws -> [Float] {
        try data("track.vad").numbers(Float.self)
    }
}

extension Data {
    /// The little-endian numbers these bytes are.
    func numbers<Number>(_ type: Number.Type) -> [Number] {
        withUnsafeBytes { bytes in
            (0..<(count / MemoryLayout<Number>.stride)).map {
                bytes.loadUnaligned(fromByteOffset: $0 * MemoryLayout<Number>.stride, as: Number.self)
            }
        }
    }
}

/// Noise that is the same in every run.
struct Noise {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed &* 2 &+ 1
    }

    /// The next sample, uniform within the amplitude.
    mutating func next(_ amplitude: Double) -> Double {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return (Double(state >> 11) / Double(1 << 52) - 1) * amplitude
    }

    /// Adds noise of this amplitude to samples scaled by `gain`.
    static func over(_ samples: [Int16], amplitude: Double, gain: Double = 1, seed: UInt64 = 1) -> [Int16] {
        var noise = Noise(seed: seed)
        return samples.map { Int16(clamping: Int((Double($0) * gain + noise.next(amplitude)).rounded())) }
    }
}

extension VoiceActivityDetector {
    /// Everything reported for these samples, given in pieces of `step` samples.
    func run(_ samples: [Int16], step: Int = 320) throws -> [VoiceActivityEvent] {
        var events: [VoiceActivityEvent] = []
        var next = 0
        while next < samples.count {
            let piece = Array(samples[next..<min(next + step, samples.count)])
            try process(piece.span, at: position) { events.append($0) }
            next += step
        }
        return events
    }
}

extension [VoiceActivityEvent] {
    var windows: [VoiceActivityWindow] {
        compactMap { if case .window(let window) = $0 { window } else { nil } }
    }

    var changes: [VoiceActivityEvent] {
        filter { if case .window = $0 { false } else { true } }
    }

    var starts: [Int] {
        compactMap { if case .speechStarted(let at) = $0 { Int(at.samples) } else { nil } }
    }

    var ends: [Int] {
        compactMap { if case .speechEnded(let at) = $0 { Int(at.samples) } else { nil } }
    }
}

extension EndOfTurnPredictor {
    func probability(_ audio: [Int16]) throws -> Float {
        try probability(of: audio.span)
    }
}

import Foundation
import Testing

@testable import Audio

@Suite struct WAVFileTests {
    /// A path of its own for each test, removed afterwards.
    private func withPath<Result>(_ body: (String) throws -> Result) throws -> Result {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("parley-\(UUID().uuidString).wav").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        return try body(path)
    }

    @Test(arguments: [(8_000, 1), (16_000, 2), (44_100, 1), (48_000, 6)])
    func survivesARoundTrip(rate: Int, channels: Int) throws {
        let file = WAVFile(sampleRate: rate, channels: channels, samples: Signals.sine(440, count: 600, rate: rate))
        #expect(try WAVFile(bytes: file.bytes) == file)
        try withPath { path in
            try file.write(to: path)
            #expect(try WAVFile(path: path) == file)
        }
    }

    @Test func readsExtensibleFormats() throws {
        var bytes = Array(WAVFile(sampleRate: 24_000, channels: 1, samples: [1, 2]).bytes)
        bytes[16] = 40
        bytes[20] = 0xFE
        bytes[21] = 0xFF
        bytes.insert(contentsOf: [22, 0, 16, 0, 4, 0, 0, 0, 1, 0] + [UInt8](repeating: 0, count: 14), at: 36)
        #expect(try WAVFile(bytes: bytes) == WAVFile(sampleRate: 24_000, samples: [1, 2]))
    }

    @Test func skipsUnknownChunksOfOddSize() throws {
        var bytes = WAVFile(samples: [1, 2, 3]).bytes
        bytes.insert(contentsOf: Array("cue ".utf8) + [1, 0, 0, 0, 7, 0], at: 12)
        bytes += Array("LIST".utf8) + [4, 0, 0, 0, 1, 2, 3, 4]
        #expect(try WAVFile(bytes: bytes).samples == [1, 2, 3])
    }

    @Test func readsWhatIsThereOfTruncatedData() throws {
        let bytes = WAVFile(channels: 2, samples: [1, 2, 3, 4]).bytes
        #expect(try WAVFile(bytes: Array(bytes.dropLast(1))).samples == [1, 2])
        #expect(try WAVFile(bytes: Array(bytes.dropLast(8))).samples.isEmpty)
    }

    @Test(arguments: [[UInt8](repeating: 0, count: 4), [UInt8](repeating: 0xFF, count: 4)])
    func readsStreamsOfUnknownSize(size: [UInt8]) throws {
        var bytes = WAVFile(samples: [1, 2, 3]).bytes
        bytes.replaceSubrange(40..<44, with: size)
        #expect(try WAVFile(bytes: bytes).samples == [1, 2, 3])
    }

    @Test func saysWhatIsWrong() throws {
        let good = WAVFile(samples: [1]).bytes
        var float = good
        float[20] = 3
        float[34] = 32
        #expect(throws: AudioError.self) { try WAVFile(bytes: Array("not a wav file".utf8)) }
        #expect(throws: AudioError.self) { try WAVFile(bytes: Array(good[..<20])) }
        #expect(throws: AudioError.self) { try WAVFile(bytes: []) }
        let encoding = #expect(throws: AudioError.self) { try WAVFile(bytes: float) }
        #expect(encoding?.code == .unsupportedEncoding)
        let missing = #expect(throws: AudioError.self) { try WAVFile(path: "/nowhere/at-all.wav") }
        #expect(missing?.code == .fileFailed)
        #expect(missing?.message.contains("/nowhere/at-all.wav") == true)
    }

    @Test func becomesSessionAudio() throws {
        let stereo = WAVFile(sampleRate: 48_000, channels: 2, samples: [Int16](repeating: 900, count: 9_600))
        let samples = try stereo.sessionSamples()
        #expect(samples.count == 1_600)
        #expect(abs(Int(samples[800]) - 900) < 5)
        #expect(stereo.duration == .milliseconds(100))
        #expect(stereo.channel(1).count == 4_800)
    }

    @Test func recordsTwoTracksByPosition() throws {
        try withPath { path in
            var recorder = try StereoRecorder(path: path)
            try recorder.write([1, 2, 3].span, to: .caller, at: SessionTime(samples: 2))
            try recorder.write([7, 8].span, to: .agent, at: SessionTime(samples: 6))
            try recorder.write([9, 9].span, to: .caller, at: SessionTime(samples: 4))
            try recorder.write([5, 6].span, to: .agent, at: SessionTime(samples: -1))
            let length = recorder.length
            #expect(length == SessionTime(samples: 8))
            try recorder.finish()
            let file = try WAVFile(path: path)
            #expect(file.channel(0) == [0, 0, 1, 2, 9, 9, 0, 0])
            #expect(file.channel(1) == [6, 0, 0, 0, 0, 0, 7, 8])
        }
    }

    @Test func aRecordingIsReadableBeforeItIsFinished() throws {
        try withPath { path in
            var recorder = try StereoRecorder(path: path)
            try recorder.write([1, 2].span, to: .agent, at: .zero)
            #expect(try WAVFile(path: path).channel(1) == [1, 2])
        }
    }

    @Test func aRecordingHasABound() throws {
        try withPath { path in
            var recorder = try StereoRecorder(path: path)
            let error = #expect(throws: AudioError.self) {
                try recorder.write([1].span, to: .caller, at: StereoRecorder.longest)
            }
            #expect(error?.code == .tooLarge)
        }
    }
}

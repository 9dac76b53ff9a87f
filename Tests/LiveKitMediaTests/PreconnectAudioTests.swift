import Audio
import Foundation
import NIOCore
import Testing

@testable import LiveKitMedia

@Suite struct PreconnectAudioTests {
    private func finish(_ chunks: [Data], type: String, _ attributes: [String: String] = [:]) throws -> (ByteBuffer, rate: Int, channels: Int)? {
        let audio = PreconnectAudio(attributes, type: type)
        for chunk in chunks { audio.append(chunk) }
        return try audio.finish()
    }

    private func fixture(_ name: String) throws -> Data {
        try Data(contentsOf: Bundle.module.bundleURL.appendingPathComponent("Resources/\(name)"))
    }

    @Test(arguments: ["", "application/octet-stream", "audio/pcm", "audio/L16;rate=24000", "audio/raw"])
    func bareSamplesAreTakenAsTheyAre(type: String) throws {
        let (samples, rate, channels) = try #require(
            try finish([Data([1, 0]), Data([2, 0])], type: type, ["sampleRate": "24000", "channels": "2", "trackId": "TR_1"]))
        #expect(Array(samples.readableBytesView) == [1, 0, 2, 0])
        #expect(rate == 24_000 && channels == 2)
    }

    @Test func withoutAttributesItIsWhatMicrophonesGive() throws {
        let (_, rate, channels) = try #require(try finish([Data([1, 0])], type: "audio/pcm"))
        #expect(rate == 48_000 && channels == 1)
    }

    /// Speech of flite, recorded by ffmpeg as MediaRecorder does it (mono, no sizes), and in stereo.
    @Test(arguments: [("speech.webm", "audio/webm;codecs=opus"), ("speech.ogg", "audio/ogg; codecs=opus"), ("speech.webm", "application/octet-stream")])
    func whatBrowsersRecordIsDecoded(name: String, type: String) throws {
        let file = try fixture(name)
        let chunks = stride(from: 0, to: file.count, by: 1_000).map { file[$0..<min($0 + 1_000, file.count)] }
        var (samples, rate, channels) = try #require(try finish(chunks, type: type, ["sampleRate": "48000", "channels": "2"]))
        #expect(rate == 16_000 && channels == 1)
        // 2.4 s, by ffprobe.
        #expect((37_500...39_500).contains(samples.readableBytes / 2), "\(samples.readableBytes / 2)")
        var loudest = 0
        while let sample = samples.readInteger(endianness: .little, as: Int16.self) { loudest = max(loudest, abs(Int(sample))) }
        #expect(loudest > 3_000)
    }

    @Test(arguments: ["audio/mp4", "audio/opus", "video/mp4", "audio/webm;codecs=opus"])
    func whatIsNotReadIsNotTakenForSamples(type: String) throws {
        let error = try #require(throws: AudioError.self) { try finish([Data([0, 0, 0, 32, 102, 116, 121, 112])], type: type) }
        #expect(error.message.contains("'\(type)'") && error.message.contains("PCM16, or Opus in WebM or Ogg"))
    }

    @Test func nothingIsNothing() throws {
        #expect(try finish([], type: "audio/mp4") == nil)
        #expect(try finish([Data()], type: "audio/pcm") == nil)
    }

    @Test func whatFollowsAGapIsNotTaken() throws {
        let megabyte = Data(repeating: 0, count: 1 << 20)
        let chunks = [Data](repeating: megabyte, count: 5) + [Data(repeating: 0, count: 2 << 20), megabyte]
        let (samples, _, _) = try #require(try finish(chunks, type: "audio/pcm"))
        #expect(samples.readableBytes == 5 << 20)
    }
}

import Audio
import BackendKit
import Foundation
import NIOCore

/// Audio that a caller's program has recorded while the agent was still on its way (`lk.agent.pre-connect-audio-buffer`): bare PCM16, or Opus in
/// the file that a browser makes of it. Collects the bytes of one stream.
///
/// Unchecked because it is confined to one event loop.
final class PreconnectAudio: @unchecked Sendable {
    static let topic = "lk.agent.pre-connect-audio-buffer"
    /// A minute at 48 kHz; more is not taken.
    private static let maximumBytes = 6 << 20
    private static let longestSeconds = 60

    private let type: String
    private let rate: Int
    private let channels: Int
    private var bytes = ByteBuffer()
    private var isFull = false

    /// - Parameter type: the MIME type that the stream has; `application/octet-stream` where its sender did not say
    init(_ attributes: [String: String], type: String) {
        self.type = type
        self.rate = attributes["sampleRate"].flatMap { Int($0) } ?? 48_000
        self.channels = attributes["channels"].flatMap { Int($0) } ?? 1
    }

    func append(_ data: Data) {
        // Nothing that follows a gap is of any use.
        isFull = isFull || bytes.readableBytes + data.count > Self.maximumBytes
        if !isFull { bytes.writeBytes(data) }
    }

    /// Little-endian PCM16; nil where nothing came.
    ///
    /// - Throws: where it is no audio that is read here
    func finish() throws(AudioError) -> (ByteBuffer, rate: Int, channels: Int)? {
        guard bytes.readableBytes > 0 else { return nil }
        // What it is shows better than what it is called.
        if OpusRecording.begins(bytes.readableBytesView) {
            let rate = CallerStream.sampleRate
            let samples = try OpusRecording(Array(bytes.readableBytesView)).decode(sampleRate: rate, atMost: rate * Self.longestSeconds)
            var pcm = ByteBufferAllocator().buffer(capacity: samples.count * 2)
            pcm.writeLittleEndian(samples.samples.span)
            return (pcm, rate, 1)
        }
        guard isPCM else {
            throw AudioError(.unsupportedEncoding, "audio of type '\(type)' is not read; send PCM16, or Opus in WebM or Ogg")
        }
        return (bytes, rate, channels)
    }

    private var isPCM: Bool {
        let type = type.lowercased()
        let isOther = type.hasPrefix("audio/") || type.hasPrefix("video/")
        return !isOther || ["pcm", "l16", "raw"].contains { type.contains($0) }
    }
}

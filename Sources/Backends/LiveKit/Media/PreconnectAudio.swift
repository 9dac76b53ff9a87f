import Foundation
import NIOCore

/// Audio that a caller's program has recorded while the agent was still on its way (`lk.agent.pre-connect-audio-buffer`).
struct PreconnectAudio {
    static let topic = "lk.agent.pre-connect-audio-buffer"
    /// A minute at 48 kHz; more is not taken.
    private static let maximumBytes = 6 << 20

    /// The microphone that it belongs to.
    let track: String

    /// Collects the bytes of one stream. Unchecked because it is confined to one event loop.
    final class Collector: @unchecked Sendable {
        private let rate: Int
        private let channels: Int
        private let isPCM: Bool
        private var bytes = ByteBuffer()

        fileprivate init(rate: Int, channels: Int, isPCM: Bool) {
            self.rate = rate
            self.channels = channels
            self.isPCM = isPCM
        }

        func append(_ data: Data) {
            if bytes.readableBytes + data.count <= PreconnectAudio.maximumBytes { bytes.writeBytes(data) }
        }

        /// Little-endian PCM16; nil where nothing usable came.
        func finish() -> (ByteBuffer, rate: Int, channels: Int)? {
            isPCM && bytes.readableBytes > 0 ? (bytes, rate, channels) : nil
        }
    }

    func begin(_ attributes: [String: String], type: String) -> Collector {
        Collector(
            rate: attributes["sampleRate"].flatMap { Int($0) } ?? 48_000, channels: attributes["channels"].flatMap { Int($0) } ?? 1,
            isPCM: !type.contains("opus") && !type.contains("webm"))
    }
}

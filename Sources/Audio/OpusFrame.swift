internal import COpus

/// What Opus (RFC 6716) takes.
package enum OpusFrame {
    /// Sample rates of the codec, in Hz. WebRTC uses 48 kHz; 16 kHz is wideband speech.
    package static let sampleRates = [8_000, 12_000, 16_000, 24_000, 48_000]
    /// Longest packet the decoder returns: 120 ms.
    static let longest = 120
    /// The libopus manual's size for an encoder's output.
    static let largestPacket = 4_000

    static func check(_ sampleRate: Int) throws(AudioError) {
        guard sampleRates.contains(sampleRate) else {
            throw AudioError(
                .unsupportedSampleRate,
                "Opus has no sample rate of \(sampleRate) Hz; use 8000, 12000, 16000, 24000 or 48000")
        }
    }

    /// Frames last 2.5, 5, 10, 20, 40 or 60 ms.
    static func check(frame count: Int, sampleRate: Int) throws(AudioError) {
        guard [1, 2, 4, 8, 16, 24].contains(where: { $0 * sampleRate == count * 400 }) else {
            throw AudioError(
                .badFrameSize, "\(count) samples at \(sampleRate) Hz are no Opus frame; use 2.5, 5, 10, 20, 40 or 60 ms"
            )
        }
    }

    static func error(_ status: Int32, _ what: String) -> AudioError {
        let reason = unsafe opus_strerror(status).map { unsafe String(cString: $0) } ?? "status \(status)"
        return AudioError(.codecFailed, "Opus: \(what): \(reason)")
    }
}

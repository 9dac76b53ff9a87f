/// What went wrong in the audio module: a code to branch on, a sentence to act on, and the cause where there is one.
package struct AudioError: Error, CustomStringConvertible {
    /// The kind of failure. Extensible: switch with a default.
    package struct Code: RawRepresentable, Hashable, Sendable {
        package let rawValue: String

        package init(rawValue: String) {
            self.rawValue = rawValue
        }

        /// A sample rate outside of what the operation takes.
        package static let unsupportedSampleRate = Code(rawValue: "unsupported_sample_rate")
        /// A channel count outside of what the operation takes.
        package static let unsupportedChannelCount = Code(rawValue: "unsupported_channel_count")
        /// Well-formed audio in an encoding that is not read here, e.g. a WAV file with floating point samples.
        package static let unsupportedEncoding = Code(rawValue: "unsupported_encoding")
        /// Bytes that are not what they claim to be, e.g. a RIFF header without a `data` chunk.
        package static let malformed = Code(rawValue: "malformed")
        /// A frame of a length that a codec does not take.
        package static let badFrameSize = Code(rawValue: "bad_frame_size")
        /// A codec or the resampler refused; the message carries its own words.
        package static let codecFailed = Code(rawValue: "codec_failed")
        /// A file could not be opened, read or written; the message names the path and the system's reason.
        package static let fileFailed = Code(rawValue: "file_failed")
        /// A position or size beyond what the format can hold.
        package static let tooLarge = Code(rawValue: "too_large")
    }

    package let code: Code
    /// Names the offending value and what would be accepted.
    package let message: String
    package let cause: (any Error)?

    package init(_ code: Code, _ message: String, cause: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.cause = cause
    }

    package var description: String {
        guard let cause else { return "\(code.rawValue): \(message)" }
        return "\(code.rawValue): \(message) (\(cause))"
    }
}

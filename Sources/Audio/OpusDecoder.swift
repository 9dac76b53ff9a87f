internal import COpus

/// Decodes a stream of Opus packets to mono. Costs 11-27 microseconds per 20 ms.
// @unchecked: the handle is owned by this one non-copyable value and used only by its mutating methods.
@safe package struct OpusDecoder: ~Copyable, @unchecked Sendable {
    package let sampleRate: Int
    private let handle: OpaquePointer

    /// - Parameter sampleRate: of the output, one of `OpusFrame.sampleRates`; else throws `unsupportedSampleRate`. It need not
    ///   be the encoder's.
    package init(sampleRate: Int) throws(AudioError) {
        try OpusFrame.check(sampleRate)
        var status: Int32 = 0
        guard let handle = unsafe opus_decoder_create(Int32(sampleRate), 1, &status) else {
            throw OpusFrame.error(status, "no decoder")
        }
        self.sampleRate = sampleRate
        unsafe self.handle = handle
    }

    deinit {
        unsafe opus_decoder_destroy(handle)
    }

    /// Appends the samples of one packet (at most 120 ms) to `output`; returns how many.
    ///
    /// Throws `codecFailed` for bytes that are no Opus packet; the decoder stays usable.
    @discardableResult
    package mutating func decode(_ packet: RawSpan, into output: inout SampleBuffer) throws(AudioError) -> Int {
        guard !packet.isEmpty else { throw AudioError(.malformed, "Opus: an empty packet") }
        let handle = unsafe handle
        let before = output.count
        let room = sampleRate * OpusFrame.longest / 1000
        try unsafe output.append(adding: room) { (destination) throws(AudioError) in
            guard let samples = destination.baseAddress else { return 0 }
            let status = unsafe packet.withUnsafeBytes { bytes in
                unsafe opus_decode(
                    handle, bytes.bindMemory(to: UInt8.self).baseAddress, Int32(clamping: bytes.count), samples,
                    Int32(room), 0)
            }
            return try Self.count(status)
        }
        return output.count - before
    }

    /// Appends `count` samples that conceal a lost packet (a multiple of 2.5 ms, at most 120 ms) to `output`.
    package mutating func conceal(_ count: Int, into output: inout SampleBuffer) throws(AudioError) {
        guard count > 0, count * 400 % sampleRate == 0, count <= sampleRate * OpusFrame.longest / 1000 else {
            throw AudioError(
                .badFrameSize, "\(count) samples cannot be concealed; use a multiple of 2.5 ms up to 120 ms")
        }
        let handle = unsafe handle
        try unsafe output.append(adding: count) { (destination) throws(AudioError) in
            guard let samples = destination.baseAddress else { return 0 }
            return try Self.count(unsafe opus_decode(handle, nil, 0, samples, Int32(count), 0))
        }
    }

    private static func count(_ status: Int32) throws(AudioError) -> Int {
        guard status >= 0 else { throw OpusFrame.error(status, "packet not decoded") }
        return Int(status)
    }
}

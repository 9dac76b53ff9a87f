internal import COpus

/// Encodes mono speech, frame by frame. Costs 100-130 microseconds per 20 ms at complexity 5.
// @unchecked: the handle is owned by this one non-copyable value and used only by its mutating methods.
@safe package struct OpusEncoder: ~Copyable, @unchecked Sendable {
    /// Complexity 5 of 10: half the cost of 10, no difference in speech at these bit rates.
    private static let complexity: Int32 = 5

    package let sampleRate: Int
    private let handle: OpaquePointer

    /// - Parameters:
    ///   - sampleRate: one of `OpusFrame.sampleRates`; else throws `unsupportedSampleRate`.
    ///   - bitRate: bits per second, 6,000 to 510,000 (clamped); 24,000 is good speech.
    ///   - expectedLoss: percent of packets that get lost, 0 to 100; above 0 turns forward error correction on.
    package init(sampleRate: Int, bitRate: Int = 24_000, expectedLoss: Int = 0) throws(AudioError) {
        try OpusFrame.check(sampleRate)
        var status: Int32 = 0
        guard let handle = unsafe opus_encoder_create(Int32(sampleRate), 1, OPUS_APPLICATION_VOIP, &status) else {
            throw OpusFrame.error(status, "no encoder")
        }
        // Checked before the handle is stored: a non-copyable value cannot be half initialised.
        let refused = unsafe Self.configure(handle, bitRate: bitRate, expectedLoss: expectedLoss)
        guard refused == OPUS_OK else {
            unsafe opus_encoder_destroy(handle)
            throw OpusFrame.error(refused, "setting refused")
        }
        self.sampleRate = sampleRate
        unsafe self.handle = handle
    }

    deinit {
        unsafe opus_encoder_destroy(handle)
    }

    /// Samples by which the decoded signal lags behind the encoded one.
    package var lookahead: Int {
        var samples: Int32 = 0
        return unsafe parley_opus_encoder_get_lookahead(handle, &samples) == OPUS_OK ? Int(samples) : 0
    }

    /// Appends the packet of one frame (2.5, 5, 10, 20, 40 or 60 ms at `sampleRate`) to `output`; returns its size in bytes.
    ///
    /// Throws `badFrameSize` for any other length.
    @discardableResult
    package mutating func encode(_ frame: Span<Int16>, into output: inout [UInt8]) throws(AudioError) -> Int {
        try OpusFrame.check(frame: frame.count, sampleRate: sampleRate)
        let before = output.count
        var status: Int32 = 0
        output.append(addingCapacity: OpusFrame.largestPacket) { packet in
            unsafe packet.withUnsafeMutableBufferPointer { buffer, count in
                status = unsafe frame.withUnsafeBufferPointer { samples in
                    guard let input = samples.baseAddress, let bytes = buffer.baseAddress else { return OPUS_BAD_ARG }
                    return unsafe opus_encode(
                        handle, input, Int32(samples.count), bytes, Int32(OpusFrame.largestPacket))
                }
                count = max(0, Int(status))
            }
        }
        guard status >= 0 else { throw OpusFrame.error(status, "frame not encoded") }
        return output.count - before
    }

    /// The first status that is not OPUS_OK.
    private static func configure(_ handle: OpaquePointer, bitRate: Int, expectedLoss: Int) -> Int32 {
        let loss = Int32(min(max(expectedLoss, 0), 100))
        let statuses = unsafe [
            parley_opus_encoder_set_complexity(handle, complexity),
            parley_opus_encoder_set_bitrate(handle, Int32(min(max(bitRate, 6_000), 510_000))),
            parley_opus_encoder_set_inband_fec(handle, loss > 0 ? 1 : 0),
            parley_opus_encoder_set_packet_loss(handle, loss),
        ]
        return statuses.first { $0 != OPUS_OK } ?? OPUS_OK
    }
}

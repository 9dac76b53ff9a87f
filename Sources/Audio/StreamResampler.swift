internal import CSpeexDSP

/// Converts a stream of PCM16 mono samples from one rate to another, packet by packet.
///
/// Stateful: packets must come in order and without gaps. Output of a packet lags by the filter's 2-4 ms and may be a sample
/// longer or shorter than the ratio says; over the stream it is exact. Nothing is allocated after `init`, except that the
/// caller's buffer grows while it is warming up. Costs 3-7 microseconds per 20 ms (speexdsp, quality 4).
// @unchecked: the handle is owned by this one non-copyable value and used only by its mutating methods.
@safe package struct StreamResampler: ~Copyable, @unchecked Sendable {
    /// speexdsp's quality 4 of 10: transparent for speech, and the latency of a live stream stays at 2-4 ms.
    private static let quality: Int32 = 4

    /// Samples per second that go in.
    package let inputRate: Int
    /// Samples per second that come out.
    package let outputRate: Int
    /// Absent when both rates are equal: then samples pass through untouched.
    private let handle: OpaquePointer?

    /// Throws `unsupportedSampleRate` for a rate outside of `SampleRate.allowed`, `codecFailed` when out of memory.
    package init(from inputRate: Int, to outputRate: Int) throws(AudioError) {
        try SampleRate.check(inputRate)
        try SampleRate.check(outputRate)
        var failure: Int32 = 0
        let handle: OpaquePointer? =
            unsafe inputRate == outputRate
            ? nil : speex_resampler_init(1, UInt32(inputRate), UInt32(outputRate), Self.quality, &failure)
        guard unsafe inputRate == outputRate || handle != nil else { throw Self.error(failure) }
        self.inputRate = inputRate
        self.outputRate = outputRate
        unsafe self.handle = handle
    }

    deinit {
        if let handle = unsafe handle { unsafe speex_resampler_destroy(handle) }
    }

    /// How far the output lags behind the input, in output samples.
    package var latency: Int {
        guard let handle = unsafe handle else { return 0 }
        return unsafe Int(speex_resampler_get_output_latency(handle))
    }

    /// Appends what `samples` become to `output`.
    package mutating func process(_ samples: Span<Int16>, into output: inout SampleBuffer) throws(AudioError) {
        guard let handle = unsafe handle else { return output.append(samples) }
        var consumed = 0
        while consumed < samples.count {
            consumed += try unsafe Self.step(
                handle, samples.extracting(consumed..<samples.count), room: room(for: samples.count - consumed),
                into: &output)
        }
    }

    /// Forgets the past: the next packet starts a new stream.
    package mutating func reset() {
        guard let handle = unsafe handle else { return }
        unsafe speex_resampler_reset_mem(handle)
    }

    /// Drops the filter's initial lag from the output, for whole files.
    mutating func skipLatency() {
        guard let handle = unsafe handle else { return }
        unsafe speex_resampler_skip_zeros(handle)
    }

    /// The most output samples that `count` input samples can become.
    private func room(for count: Int) -> Int {
        count * outputRate / inputRate + 2
    }

    /// One call of the library; returns how many input samples it took.
    private static func step(
        _ handle: OpaquePointer, _ samples: Span<Int16>, room: Int, into output: inout SampleBuffer
    ) throws(AudioError) -> Int {
        var taken = UInt32(clamping: samples.count)
        try unsafe output.append(adding: room) { (destination) throws(AudioError) in
            var written = UInt32(clamping: room)
            let status = unsafe samples.withUnsafeBufferPointer { source in
                unsafe speex_resampler_process_int(
                    handle, 0, source.baseAddress, &taken, destination.baseAddress, &written)
            }
            guard status == 0 else { throw error(status) }
            return Int(written)
        }
        // With room for all of its output the library takes all of its input; this only guards the loop above.
        guard taken > 0 else { throw AudioError(.codecFailed, "the resampler took no input") }
        return Int(taken)
    }

    private static func error(_ status: Int32) -> AudioError {
        let reason = unsafe speex_resampler_strerror(status).map { unsafe String(cString: $0) } ?? "status \(status)"
        return AudioError(.codecFailed, "the resampler failed: \(reason)")
    }
}

/// Converts all of `samples` (PCM16 mono) from `inputRate` to `outputRate`, for files and whole synthesised sentences.
///
/// The result is aligned with the input (no lag) and has `count * outputRate / inputRate` samples, rounded.
/// Throws `unsupportedSampleRate`.
package func resample(_ samples: [Int16], from inputRate: Int, to outputRate: Int) throws(AudioError) -> [Int16] {
    var resampler = try StreamResampler(from: inputRate, to: outputRate)
    guard inputRate != outputRate, !samples.isEmpty else { return samples }
    let expected = (samples.count * outputRate + inputRate / 2) / inputRate
    var output = SampleBuffer(capacity: expected + 64)
    resampler.skipLatency()
    try resampler.process(samples.span, into: &output)
    // Silence behind the end pushes out what the filter still holds.
    let padding = Array(repeating: Int16(0), count: 64 + inputRate / 100)
    while output.count < expected {
        try resampler.process(padding.span, into: &output)
    }
    return Array(output.samples.prefix(expected))
}

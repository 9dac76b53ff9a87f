import Testing

@testable import Audio

@Suite struct StreamResamplerTests {
    @Test(arguments: [8_000, 11_025, 16_000, 22_050, 24_000, 44_100, 48_000, 96_000])
    func keepsFrequencyAndAmplitude(rate: Int) throws {
        let input = Signals.sine(997, count: rate, rate: rate)
        var resampler = try StreamResampler(from: rate, to: 16_000)
        var output = SampleBuffer()
        for start in stride(from: 0, to: input.count, by: rate / 50) {
            try resampler.process(input.span.extracting(start..<min(start + rate / 50, input.count)), into: &output)
        }
        let latency = resampler.latency
        #expect(abs(output.count - 16_000) <= latency + 2)
        let steady = output.samples[1_000..<15_000]
        let amplitude = Signals.amplitude(of: 997, in: steady)
        #expect(abs(amplitude - 10_000) < 100)
        // All of the energy is in that one frequency.
        #expect(abs(Signals.rms(steady) - 10_000 / 2.0.squareRoot()) < 100)
    }

    @Test(arguments: [8_000, 24_000, 44_100, 48_000])
    func goesBothWays(rate: Int) throws {
        let input = Signals.sine(440, count: 16_000)
        let there = try resample(input, from: 16_000, to: rate)
        let back = try resample(there, from: rate, to: 16_000)
        #expect(there.count == rate)
        #expect(back.count == input.count)
        #expect(Signals.signalToNoise(input[800..<15_200], back[800..<15_200]) > 35)
    }

    @Test func packetSizesDoNotChangeTheResult() throws {
        let input = Signals.sine(700, count: 4_800, rate: 48_000)
        var whole = SampleBuffer()
        var pieces = SampleBuffer()
        var first = try StreamResampler(from: 48_000, to: 16_000)
        try first.process(input.span, into: &whole)
        var second = try StreamResampler(from: 48_000, to: 16_000)
        var start = 0
        for size in [1, 7, 479, 960, 1_000, 2_353] {
            try second.process(input.span.extracting(start..<start + size), into: &pieces)
            start += size
        }
        #expect(start == input.count)
        #expect(whole.samples == pieces.samples)
    }

    @Test func equalRatesPassThrough() throws {
        var resampler = try StreamResampler(from: 16_000, to: 16_000)
        var output = SampleBuffer()
        try resampler.process([1, 2, 3].span, into: &output)
        let latency = resampler.latency
        #expect(output.samples == [1, 2, 3])
        #expect(latency == 0)
    }

    @Test(arguments: [0, -1, 3_999, 192_001, 4_294_967_295])
    func refusesAbsurdRatesAndNamesThem(rate: Int) {
        let error = #expect(throws: AudioError.self) { _ = try StreamResampler(from: rate, to: 16_000) }
        #expect(error?.code == .unsupportedSampleRate)
        #expect(error?.message.contains("\(rate)") == true)
        #expect(error?.message.contains("4000 to 192000") == true)
    }

    @Test func resetForgetsThePast() throws {
        var resampler = try StreamResampler(from: 8_000, to: 16_000)
        var loud = SampleBuffer()
        try resampler.process(Signals.sine(440, count: 160, rate: 8_000).span, into: &loud)
        resampler.reset()
        var quiet = SampleBuffer()
        try resampler.process([Int16](repeating: 0, count: 160).span, into: &quiet)
        #expect(quiet.samples.allSatisfy { $0 == 0 })
    }
}

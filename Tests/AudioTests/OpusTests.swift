import Testing

@testable import Audio

@Suite struct OpusTests {
    @Test(arguments: [(16_000, 20), (48_000, 20), (48_000, 10), (24_000, 60)])
    func speechSurvivesARoundTrip(rate: Int, milliseconds: Int) throws {
        let tone = Signals.sine(300, amplitude: 6_000, count: rate, rate: rate)
        let overtone = Signals.sine(900, amplitude: 2_000, count: rate, rate: rate)
        let input = zip(tone, overtone).map { $0 + $1 }
        var encoder = try OpusEncoder(sampleRate: rate, bitRate: 48_000)
        var decoder = try OpusDecoder(sampleRate: rate)
        var output = SampleBuffer()
        let frame = rate * milliseconds / 1000
        for start in stride(from: 0, to: input.count / frame * frame, by: frame) {
            var packet: [UInt8] = []
            let size = try encoder.encode(input.span.extracting(start..<start + frame), into: &packet)
            #expect(size == packet.count && size > 0)
            #expect(try decoder.decode(packet.span.bytes, into: &output) == frame)
        }
        #expect(output.count == input.count / frame * frame)
        let middle = rate / 4..<rate * 3 / 4
        // The codec's high-pass shifts phases, so the best lag within 10 ms counts; the reference decoder gives 13.8 to 14.8.
        let best = (0..<rate / 100).map { lag in
            Signals.signalToNoise(input[middle], output.samples[(middle.lowerBound + lag)...])
        }
        #expect((best.max() ?? 0) > 12)
        let lookahead = encoder.lookahead
        #expect((1..<rate / 50).contains(lookahead))
    }

    @Test func concealsALostPacket() throws {
        var encoder = try OpusEncoder(sampleRate: 16_000, expectedLoss: 10)
        var decoder = try OpusDecoder(sampleRate: 16_000)
        var output = SampleBuffer()
        for _ in 0..<10 {
            var packet: [UInt8] = []
            try encoder.encode(Signals.sine(300, count: 320).span, into: &packet)
            try decoder.decode(packet.span.bytes, into: &output)
        }
        output.removeAll()
        try decoder.conceal(320, into: &output)
        #expect(output.count == 320)
        #expect(Signals.rms(output.samples) > 1_000)
        #expect(throws: AudioError.self) { try decoder.conceal(321, into: &output) }
    }

    @Test func refusesWhatOpusDoesNotTake() throws {
        #expect(throws: AudioError.self) { _ = try OpusEncoder(sampleRate: 44_100) }
        #expect(throws: AudioError.self) { _ = try OpusDecoder(sampleRate: 0) }
        var encoder = try OpusEncoder(sampleRate: 16_000)
        var packet: [UInt8] = []
        let error = #expect(throws: AudioError.self) {
            try encoder.encode([Int16](repeating: 0, count: 321).span, into: &packet)
        }
        #expect(error?.code == .badFrameSize)
    }

    @Test func refusesGarbageAndGoesOn() throws {
        var encoder = try OpusEncoder(sampleRate: 16_000)
        var decoder = try OpusDecoder(sampleRate: 16_000)
        var output = SampleBuffer()
        let garbage: [UInt8] = [0xFF, 0xFF, 0xFF]
        let nothing: [UInt8] = []
        #expect(throws: AudioError.self) { try decoder.decode(garbage.span.bytes, into: &output) }
        #expect(throws: AudioError.self) { try decoder.decode(nothing.span.bytes, into: &output) }
        #expect(output.isEmpty)
        var packet: [UInt8] = []
        try encoder.encode([Int16](repeating: 0, count: 320).span, into: &packet)
        #expect(try decoder.decode(packet.span.bytes, into: &output) == 320)
    }
}

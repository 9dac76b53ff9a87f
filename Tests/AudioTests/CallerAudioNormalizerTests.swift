import Testing

@testable import Audio

@Suite struct CallerAudioNormalizerTests {
    private func normalize(
        _ packets: [(bytes: [UInt8], rate: Int, channels: Int)], framing: CallerAudioNormalizer.Framing = .packets
    ) throws -> [Int16] {
        var normalizer = CallerAudioNormalizer(framing: framing)
        var output = SampleBuffer()
        for packet in packets {
            try normalizer.normalize(
                packet.bytes.span.bytes, sampleRate: packet.rate, channels: packet.channels, into: &output)
        }
        return output.samples
    }

    @Test func passesSessionAudioThrough() throws {
        let samples = Signals.sine(300, count: 640)
        #expect(try normalize([(Signals.bytes(samples), 16_000, 1)]) == samples)
    }

    @Test func stripsTheHeaderOfEveryPacket() throws {
        let samples = Signals.sine(300, count: 1_280)
        let packets = [samples[..<640], samples[640...]].map { part in
            (bytes: WAVFile(samples: Array(part)).bytes, rate: 16_000, channels: 1)
        }
        #expect(packets[0].bytes.count == 1_324)
        #expect(try normalize(packets) == samples)
    }

    @Test func stripsLongHeadersAndTrustsThem() throws {
        var bytes = WAVFile(sampleRate: 16_000, channels: 2, samples: [10, 20, 30, 50]).bytes
        bytes.insert(contentsOf: Array("LIST".utf8) + [3, 0, 0, 0, 1, 2, 3, 0], at: 36)
        #expect(try normalize([(bytes, 8_000, 1)]) == [15, 40])
    }

    @Test func samplesThatSpellRIFFAreNoHeader() throws {
        let bytes = Array("RIFF".utf8) + [0, 0, 0, 0, 0, 0, 0, 0]
        #expect(try normalize([(bytes, 16_000, 1)]).count == 6)
    }

    @Test(arguments: 1...8)
    func mixesChannelsDown(channels: Int) throws {
        let frames = (0..<100).flatMap { frame in (0..<channels).map { Int16(frame * 10 + $0 * 2) } }
        let expected = (0..<100).map { Int16($0 * 10 + channels - 1) }
        #expect(try normalize([(Signals.bytes(frames), 16_000, channels)]) == expected)
    }

    @Test func mixesExtremesWithoutOverflow() throws {
        let bytes = Signals.bytes([.min, .min, .max, .max, .min, .max])
        #expect(try normalize([(bytes, 16_000, 2)]) == [.min, .max, 0])
    }

    @Test func dropsStrayBytesOfPackets() throws {
        var normalizer = CallerAudioNormalizer()
        var output = SampleBuffer()
        for _ in 0..<2 {
            let bytes: [UInt8] = [1, 0, 2, 0, 99]
            try normalizer.normalize(bytes.span.bytes, sampleRate: 16_000, channels: 1, into: &output)
        }
        let dropped = normalizer.droppedBytes
        #expect(output.samples == [1, 2, 1, 2])
        #expect(dropped == 2)
    }

    @Test func joinsFramesCutAnywhereInAStream() throws {
        let samples = Signals.sine(300, count: 999)
        let bytes = WAVFile(channels: 1, samples: samples).bytes
        var pieces = [(bytes: Array(bytes[..<101]), rate: 16_000, channels: 1)]
        for start in stride(from: 101, to: bytes.count, by: 37) {
            pieces.append((Array(bytes[start..<min(start + 37, bytes.count)]), 16_000, 1))
        }
        #expect(try normalize(pieces, framing: .stream) == samples)
    }

    @Test func followsAChangeOfRate() throws {
        let output = try normalize([
            (Signals.bytes(Signals.sine(500, count: 8_000, rate: 8_000)), 8_000, 1),
            (Signals.bytes(Signals.sine(500, count: 48_000, rate: 48_000)), 48_000, 1),
            (Signals.bytes(Signals.sine(500, count: 16_000)), 16_000, 1),
        ])
        #expect(abs(output.count - 48_000) < 160)
        for start in [2_000, 18_000, 34_000] {
            #expect(abs(Signals.amplitude(of: 500, in: output[start..<start + 12_800]) - 10_000) < 100)
        }
    }

    @Test(arguments: [-1, 0, 3_999, 192_001, 4_000_000_000])
    func refusesAbsurdRates(rate: Int) throws {
        let error = #expect(throws: AudioError.self) { try normalize([([1, 2], rate, 1)]) }
        #expect(error?.code == .unsupportedSampleRate)
        #expect(error?.message.contains("\(rate) Hz") == true)
    }

    @Test(arguments: [-1, 0, 9, 4_000_000_000])
    func refusesAbsurdChannelCounts(channels: Int) throws {
        let error = #expect(throws: AudioError.self) { try normalize([([1, 2], 16_000, channels)]) }
        #expect(error?.code == .unsupportedChannelCount)
        #expect(error?.message.contains("\(channels)") == true)
    }

    @Test func aBadPacketDoesNotSpoilTheNext() throws {
        var normalizer = CallerAudioNormalizer()
        var output = SampleBuffer()
        let bad = Array("RIFF....WAVEjunk".utf8)
        let good: [UInt8] = [5, 0]
        #expect(throws: AudioError.self) {
            try normalizer.normalize(bad.span.bytes, sampleRate: 16_000, channels: 1, into: &output)
        }
        try normalizer.normalize(good.span.bytes, sampleRate: 16_000, channels: 1, into: &output)
        #expect(output.samples == [5])
    }

    @Test func emptyPacketsAreNothing() throws {
        #expect(try normalize([([], 48_000, 2), ([1], 48_000, 2)]).isEmpty)
    }
}

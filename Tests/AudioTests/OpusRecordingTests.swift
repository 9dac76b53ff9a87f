import Testing

@testable import Audio

@Suite struct OpusRecordingTests {
    private static let tone = Signals.sine(440, amplitude: 8_000, count: 48_000, rate: 48_000)

    private func check(_ file: [UInt8], seconds: Double = 1, sourceLocation: SourceLocation = #_sourceLocation) throws {
        let recording = try OpusRecording(file)
        #expect(recording.packetCount == Int(seconds * 50), sourceLocation: sourceLocation)
        let samples = try recording.decode(sampleRate: 16_000, atMost: 160_000).samples
        #expect(samples.count == Int(seconds * 16_000) - OpusFiles.preSkip / 3, sourceLocation: sourceLocation)
        #expect(abs(Signals.amplitude(of: 440, in: samples[4_000..<8_000]) - 8_000) < 800, sourceLocation: sourceLocation)
    }

    // MARK: WebM

    @Test(arguments: [
        OpusFiles.WebM(), .init(isLive: false), .init(isGrouped: true), .init(isLive: false, isGrouped: true), .init(hasVideo: true),
    ])
    func readsWebMAsRecordersWriteIt(_ webM: OpusFiles.WebM) throws {
        try check(webM.file(try OpusFiles.packets(of: Self.tone)))
    }

    @Test func ofAWebMFileThatIsCutOffReadsWhatIsThere() throws {
        let packets = try OpusFiles.packets(of: Self.tone)
        let file = OpusFiles.WebM().file(packets)
        #expect(try OpusRecording(Array(file.dropLast(3))).packetCount == 49)
        #expect(try OpusRecording(Array(file.dropLast(packets[49].count + 3))).packetCount == 49)
    }

    @Test(arguments: [
        (OpusFiles.WebM(codec: "A_VORBIS"), "no Opus track"), (.init(head: [1, 2, 3]), "the head is not one"), (.init(isEncoded: true), "compressed or encrypted"),
        (.init(flags: 0x82), "several packets"), (.init(head: OpusFiles.head(family: 1)), "more than two channels"),
        (.init(head: OpusFiles.head(version: 16)), "version 16"),
    ])
    func saysWhatItDoesNotReadInWebM(_ webM: OpusFiles.WebM, _ words: String) throws {
        let file = webM.file([[1, 2, 3]])
        let error = try #require(throws: AudioError.self) { try OpusRecording(file) }
        #expect(error.message.contains(words), "\(error)")
    }

    @Test func anElementWithoutSizeThatHoldsNothingKnownIsMalformed() throws {
        let file = WebMReader.magic + [0x80, 0xEC, 0xFF]
        let error = try #require(throws: AudioError.self) { try OpusRecording(file) }
        #expect(error.code == .malformed && error.message.contains("element ec has no size"), "\(error)")
    }

    // MARK: Ogg

    @Test(arguments: [255, 50, 3, 1])
    func readsOggWithPacketsOverPages(segments: Int) throws {
        try check(OpusFiles.ogg(try OpusFiles.packets(of: Self.tone), segments: segments))
    }

    @Test func longPacketsAreAsLongAsTheyWere() throws {
        let packets = [254, 255, 256, 510, 511, 900].map { [UInt8](repeating: 0xFC, count: $0) }
        for segments in [255, 2, 1] {
            #expect(try OpusRecording(OpusFiles.ogg(packets, segments: segments)).packetCount == packets.count)
        }
    }

    @Test func otherStreamsOfAnOggFileAreLeftOut() throws {
        let other = OpusFiles.ogg([[1, 2, 3]], head: Array("\u{1}vorbis, not Opus".utf8), serial: 3)
        try check(other + OpusFiles.ogg(try OpusFiles.packets(of: Self.tone)) + other)
        let error = try #require(throws: AudioError.self) { try OpusRecording(other) }
        #expect(error.message == "Ogg: there is no Opus in it")
    }

    // MARK: Both

    @Test func takesNoMoreThanIsWanted() throws {
        let recording = try OpusRecording(OpusFiles.WebM().file(try OpusFiles.packets(of: Self.tone)))
        #expect(try recording.decode(sampleRate: 16_000, atMost: 1_000).count == 1_000)
    }

    @Test func somethingElseIsRefused() throws {
        #expect(!OpusRecording.begins([0, 1, 2]) && !OpusRecording.begins([]))
        let error = try #require(throws: AudioError.self) { try OpusRecording(Array("RIFF....WAVE".utf8)) }
        #expect(error.code == .unsupportedEncoding)
    }

    @Test func withoutSoundIsAnError() throws {
        let error = try #require(throws: AudioError.self) {
            try OpusRecording(OpusFiles.ogg([])).decode(sampleRate: 16_000, atMost: 100)
        }
        #expect(error.code == .malformed)
    }

    @Test func anyBytesAreReadOrRefused() throws {
        var random = SystemRandomNumberGenerator()
        let packets = try OpusFiles.packets(of: Array(Self.tone.prefix(9_600)))
        for file in [OpusFiles.WebM(hasVideo: true).file(packets), OpusFiles.ogg(packets, segments: 3)] {
            for _ in 0..<1_000 {
                var bytes = Array(file.prefix(Int.random(in: 0...file.count, using: &random)))
                for _ in 0..<Int.random(in: 0...8, using: &random) where !bytes.isEmpty {
                    // Sizes and ids are what matters: heads more often than sound.
                    let range = Bool.random(using: &random) ? bytes.indices.prefix(200) : bytes.indices
                    if let index = range.randomElement(using: &random) { bytes[index] = UInt8.random(in: 0...255, using: &random) }
                }
                guard let recording = try? OpusRecording(bytes) else { continue }
                #expect(recording.packetCount <= bytes.count)
                _ = try? recording.decode(sampleRate: 16_000, atMost: 3_200)
            }
        }
    }
}

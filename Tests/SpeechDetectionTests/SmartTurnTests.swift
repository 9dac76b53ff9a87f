import Testing

@testable import SpeechDetection

@Suite("Smart Turn")
struct SmartTurnTests {
    /// What the published Python code computed: the probability, and every `stride`-th frame of the features.
    private struct Reference {
        let probability: Float
        let stride: Int
        let frames: Int
        let features: [Float]

        init(_ name: String) throws {
            let data = try Clips.data("\(name).turn")
            let header = data.prefix(12).numbers(Int32.self).map { Int($0) }
            probability = data.prefix(4).numbers(Float.self)[0]
            (stride, frames) = (header[1], header[2])
            features = data.dropFirst(12).numbers(Float.self)
        }
    }

    private func audio(_ name: String) throws -> [Int16] {
        switch name {
        case "track": try Clips.track().samples
        case "nothing": []
        default: try Clips.samples(name)
        }
    }

    @Test("features and probability are those of the published code", arguments: Clips.names + ["track", "nothing"])
    func agreesWithReference(name: String) throws {
        let reference = try Reference(name)
        let predictor = try #require(try Models.load().turn.makePredictor() as? SmartTurnPredictor)
        let probability = try predictor.probability(audio(name))
        let features = predictor.lastFeatures
        try #require(reference.features.count == LogMelExtractor.mels * reference.frames)
        var worst: Float = 0
        for band in 0..<LogMelExtractor.mels {
            for frame in 0..<reference.frames {
                let ours = features[band * LogMelExtractor.frames + frame * reference.stride]
                worst = max(worst, abs(ours - reference.features[band * reference.frames + frame]))
            }
        }
        #expect(worst < 1e-3)
        #expect(abs(probability - reference.probability) < 1e-2)
        printCost(
            "\(name): features differ by at most \(worst), probability \(probability) for \(reference.probability)")
    }

    @Test("a predictor keeps nothing of the audio before")
    func predictorIsStateless() throws {
        let predictor = try Models.load().turn.makePredictor()
        let first = try predictor.probability(Clips.samples("slt"))
        _ = try predictor.probability(Clips.track().samples)
        #expect(try predictor.probability(Clips.samples("slt")) == first)
    }

    @Test("only the last 8 s count")
    func lastSeconds() throws {
        let predictor = try Models.load().turn.makePredictor()
        let track = try Clips.track().samples
        let whole = try predictor.probability(track)
        #expect(try predictor.probability(Array(track.suffix(128_000))) == whole)
    }

    @Test("the transform finds a tone in its bin, in each lane")
    func transform() {
        let transform = RealFourierTransform()
        let bins = UnsafeMutablePointer<Lanes>.allocate(capacity: RealFourierTransform.bins)
        defer { bins.deallocate() }
        // Lane k has a tone of amplitude 1 in bin 10 k + 7: power (400 / 2)^2 there, nothing elsewhere.
        for index in 0..<RealFourierTransform.length {
            var value = Lanes.zero
            for lane in 0..<Lanes.scalarCount { value[lane] = Factor(turns: Double((10 * lane + 7) * index) / 400).im }
            if index.isMultiple(of: 2) {
                transform.signal[index / 2].re = value
            } else {
                transform.signal[index / 2].im = value
            }
        }
        transform.power(into: bins)
        for lane in 0..<Lanes.scalarCount {
            for bin in 0..<RealFourierTransform.bins {
                #expect(abs(bins[bin][lane] - (bin == 10 * lane + 7 ? 40_000 : 0)) < 1e-6)
            }
        }
    }
}

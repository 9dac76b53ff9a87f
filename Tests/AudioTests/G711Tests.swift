import Testing

@testable import Audio

@Suite struct G711Tests {
    /// ITU-T G.711 table 2: `(2m + 33) * 2^e - 33` of 8031, here scaled to 16 bits.
    private func mu(_ code: Int) -> Int {
        let bits = 255 - code
        var step = 1
        for _ in 0..<(bits / 16 % 8) { step *= 2 }
        let magnitude = (2 * (bits % 16) + 33) * step - 33
        return bits >= 128 ? -4 * magnitude : 4 * magnitude
    }

    /// ITU-T G.711 table 1: `(2m + 1)` in the first segment, `(2m + 33) * 2^(e - 1)` in the others, of 4032.
    private func a(_ code: Int) -> Int {
        let bits = code ^ 0x55
        var step = 1
        for _ in 0..<max(0, bits / 16 % 8 - 1) { step *= 2 }
        let magnitude = bits / 16 % 8 == 0 ? 2 * (bits % 16) + 1 : (2 * (bits % 16) + 33) * step
        return bits >= 128 ? 8 * magnitude : -8 * magnitude
    }

    private func formula(_ code: Int, _ law: G711.Law) -> Int { law == .mu ? mu(code) : a(code) }

    @Test(arguments: G711.Law.allCases)
    func decodesAllCodesByTheFormula(law: G711.Law) {
        for code in 0...255 {
            #expect(Int(G711.decode(UInt8(code), law)) == formula(code, law))
        }
    }

    /// The decision values of tables 1 and 2: the first magnitude that belongs to each of the 128 steps above zero. A decoded
    /// value lies in the middle of its step, except that the first mu-law step is half as wide.
    private func decisions(_ law: G711.Law) -> [Int] {
        var decisions = [0]
        for segment in 0..<8 {
            for step in 0..<16 {
                switch law {
                case .mu: decisions.append((2 * step + 34) << segment - 33)
                case .a: decisions.append(segment == 0 ? 2 * step + 2 : (2 * step + 34) << (segment - 1))
                }
            }
        }
        return decisions
    }

    @Test(arguments: G711.Law.allCases)
    func encodesAllSamplesByTheDecisionValues(law: G711.Law) {
        let decisions = decisions(law)
        var wrong = 0
        for sample in Int(Int16.min)...Int(Int16.max) {
            // Negative values mirror the positive ones; 14 bits are seen by mu-law, 13 by A-law.
            let magnitude = (sample < 0 ? -sample - 1 : sample) / (law == .mu ? 4 : 8)
            let step = min(127, (decisions.firstIndex { $0 > magnitude } ?? 128) - 1)
            let sign = (law == .mu) == (sample < 0) ? 0x80 : 0
            let expected = law == .mu ? 255 - (step | sign) : (step | sign) ^ 0x55
            if Int(G711.encode(Int16(sample), law)) != expected { wrong += 1 }
        }
        #expect(wrong == 0)
    }

    @Test(arguments: G711.Law.allCases)
    func everyCodeSurvivesARoundTrip(law: G711.Law) {
        for code in 0...255 {
            let again = G711.encode(G711.decode(UInt8(code), law), law)
            // Mu-law has two zeros; the negative one comes back as the positive.
            #expect(Int(again) == (law == .mu && code == 0x7F ? 0xFF : code))
        }
    }

    @Test func knownCodes() {
        #expect(G711.encode(0, .mu) == 0xFF)
        #expect(G711.encode(.max, .mu) == 0x80)
        #expect(G711.encode(.min, .mu) == 0x00)
        #expect(G711.encode(0, .a) == 0xD5)
        #expect(G711.encode(.max, .a) == 0xAA)
        #expect(G711.encode(.min, .a) == 0x2A)
    }

    @Test(arguments: G711.Law.allCases)
    func speechKeepsItsQuality(law: G711.Law) {
        let samples = Signals.sine(440, count: 1_600, rate: 8_000)
        var codes: [UInt8] = []
        G711.encode(samples.span, law, into: &codes)
        var decoded = SampleBuffer()
        G711.decode(codes.span.bytes, law, into: &decoded)
        #expect(Signals.signalToNoise(samples, decoded.samples) > 36)
    }
}

import Testing

@testable import SpeechDetection

@Suite("Energy gate")
struct EnergyGateTests {
    private func open(_ gate: inout EnergyGate, _ level: Float, _ windows: Int, likely: Bool = false) -> Int {
        (0..<windows).count { _ in gate.isOpen(level: level, speechIsLikely: likely) }
    }

    @Test("digital silence keeps it closed, the first sound opens it at once")
    func opensAtOnce() {
        var gate = EnergyGate()
        #expect(open(&gate, -120, 100) == 0)
        #expect(open(&gate, -55, 1) == 1)
    }

    @Test("it learns the noise of the line and closes over it")
    func learnsNoise() {
        var gate = EnergyGate()
        #expect(open(&gate, -50, 40) == 40)
        _ = open(&gate, -50, 200)
        #expect(open(&gate, -50, 100) == 0)
        #expect(abs(gate.floor + 50) < 1)
        #expect(open(&gate, -42, 1) == 1)
    }

    @Test("it stays open for a while after a sound")
    func hangover() {
        var gate = EnergyGate()
        _ = open(&gate, -30, 1)
        #expect(open(&gate, -120, 100) == 7)
    }

    @Test("long speech does not raise the floor")
    func longSpeech() {
        var gate = EnergyGate()
        #expect(open(&gate, -25, 2_000, likely: true) == 2_000)
        #expect(gate.floor == -70)
    }

    @Test("silence inserted by the network does not lower the floor")
    func insertedSilence() {
        var gate = EnergyGate()
        _ = open(&gate, -50, 400)
        let floor = gate.floor
        _ = open(&gate, -120, 400)
        #expect(gate.floor == floor)
    }

    private func level(_ window: [Int16]) -> Float {
        EnergyGate.level(of: window.span)
    }

    @Test("the level is that of the loudest 8 ms, without its mean")
    func loudestBlock() {
        var window = [Int16](repeating: 1_000, count: 512)
        #expect(level(window) == -120)
        for index in 384..<512 { window[index] = index.isMultiple(of: 2) ? 3_277 : -3_277 }
        #expect(abs(level(window) + 20) < 0.1)
        let full = (0..<512).map { $0.isMultiple(of: 2) ? Int16.max : Int16.min }
        #expect(abs(level(full)) < 0.1)
    }

    @Test("a sine of full scale at 1 kHz has a loudness of -3 LUFS")
    func loudness() {
        var meter = LoudnessMeter()
        let second = (0..<16_000).map { Int16(32_767 * sine(Double($0) / 16)) }
        for _ in 0..<8 {
            for start in stride(from: 0, to: 15_872, by: 512) {
                let window = Array(second[start..<(start + 512)])
                _ = meter.handle(window.span)
            }
        }
        // The meter is capped at -10 LUFS, which is 1.
        #expect(meter.loudness > 0.999)
        var quiet = LoudnessMeter()
        for _ in 0..<8 {
            for start in stride(from: 0, to: 15_872, by: 512) {
                let window = second[start..<(start + 512)].map { $0 / 100 }
                _ = quiet.handle(window.span)
            }
        }
        // 40 dB less: -43 LUFS is 0.67.
        #expect(abs(quiet.loudness - 0.67) < 0.01)
    }

    /// The sine of a number of turns, exact enough without a mathematics library.
    private func sine(_ turns: Double) -> Double {
        let angle = (turns - turns.rounded()) * 2 * Double.pi
        var term = angle
        var sum = angle
        for order in stride(from: 3.0, through: 21, by: 2) {
            term *= -angle * angle / (order * (order - 1))
            sum += term
        }
        return sum
    }
}

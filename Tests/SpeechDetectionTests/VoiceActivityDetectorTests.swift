import Audio
import Testing

@testable import SpeechDetection

@Suite("Voice activity")
struct VoiceActivityDetectorTests {
    private func detector(
        _ parameters: VADParameters = .livekit, gate: EnergyGate? = EnergyGate(), start: SessionTime = .zero
    ) throws -> VoiceActivityDetector {
        try VoiceActivityDetector(model: Models.load().vad, parameters: parameters, gate: gate, start: start)
    }

    @Test("every window has the probability that the published code computes")
    func agreesWithReference() throws {
        let reference = try Clips.vadReference()
        let windows = try detector(gate: nil).run(Clips.track().samples).windows
        #expect(windows.count == reference.count)
        for (window, expected) in zip(windows, reference) {
            #expect(abs(window.probability - expected) < 1e-3, "at \(window.start)")
        }
    }

    @Test("speech is found where it is, with silence and with noise around it", arguments: [0.0, 60, 200])
    func findsSpeech(noise: Double) throws {
        let (clean, speech) = try Clips.track()
        let events = try detector().run(Noise.over(clean, amplitude: noise))
        try #require(events.starts.count == speech.count, "\(events.changes)")
        try #require(events.ends.count == speech.count, "\(events.changes)")
        for (index, range) in speech.enumerated() {
            #expect(abs(events.starts[index] - range.lowerBound) <= 1_600, "start of \(Clips.names[index])")
            #expect(abs(events.ends[index] - range.upperBound) <= 2_400, "end of \(Clips.names[index])")
        }
    }

    @Test(
        "the gate holds back no speech that the network would have heard", arguments: [0.0, 20, 100, 1_000], [1, 0.05])
    func gateCutsNothing(noise: Double, gain: Double) throws {
        let track = Noise.over(try Clips.track().samples, amplitude: noise, gain: gain)
        for parameters in [VADParameters.livekit, .quick, .pipecat] {
            let gated = try detector(parameters).run(track)
            let open = try detector(parameters, gate: nil).run(track)
            // Near the network's threshold the runs may differ in where speech pauses, never in that it began.
            for start in open.starts {
                let begun = gated.starts.last { $0 <= start + SileroVAD.windowLength }
                let ended = begun.flatMap { begun in gated.ends.first { $0 > begun } } ?? track.count
                #expect(begun != nil && ended > start, "noise \(noise), gain \(gain), \(parameters), at \(start)")
            }
        }
    }

    @Test("the gate spares the network the silence")
    func gateSavesWork() throws {
        let quiet = Noise.over([Int16](repeating: 0, count: 16_000 * 20), amplitude: 30)
        let windows = try detector().run(quiet).windows
        #expect(windows.suffix(300).count { $0.isGateOpen } == 0)
        #expect(windows.suffix(300).allSatisfy { $0.probability == 0 })
    }

    @Test("positions do not depend on how the audio is cut, and count from where it starts")
    func positionsAreExact() throws {
        let track = try Clips.track().samples
        let expected = try detector(.quick).run(track, step: 512)
        for step in [1, 160, 333, 4_000, track.count] {
            #expect(try detector(.quick).run(track, step: step) == expected)
        }
        let offset = SessionTime(samples: 123_457)
        let shifted = try detector(.quick, start: offset).run(track)
        #expect(shifted.starts == expected.starts.map { $0 + 123_457 })
        #expect(shifted.ends == expected.ends.map { $0 + 123_457 })
    }

    @Test("samples seen before are ignored, and a gap ends speech and starts anew")
    func discontinuities() throws {
        let (track, speech) = try Clips.track()
        let subject = try detector(.quick)
        let half = (speech[0].lowerBound + speech[0].upperBound) / 2
        let piece = Array(track[..<half])
        var events: [VoiceActivityEvent] = []
        try subject.process(piece.span, at: .zero) { events.append($0) }
        #expect(subject.isSpeaking)
        let seen = subject.position
        try subject.process(piece.span, at: .zero) { events.append($0) }
        #expect(subject.position == seen)
        let later = SessionTime(samples: 1_000_000)
        try subject.process(piece.span, at: later) { events.append($0) }
        #expect(events.ends == [half])
        #expect(events.starts.count == 2)
        #expect(events.starts[1] == events.starts[0] + 1_000_000)
    }

    @Test("many conversations share the model without touching each other")
    func manyStreams() throws {
        let (track, _) = try Clips.track()
        let inputs = (0..<200).map { index in
            Noise.over(Array(track[(index * 300)..<(index * 300 + 16_000)]), amplitude: 30, seed: UInt64(index))
        }
        let alone = try inputs.map { try detector(.quick).run($0) }
        let streams = try inputs.map { _ in try detector(.quick) }
        var together = [[VoiceActivityEvent]](repeating: [], count: streams.count)
        for start in stride(from: 0, to: 16_000, by: 320) {
            for (index, stream) in streams.enumerated() {
                let piece = Array(inputs[index][start..<(start + 320)])
                try stream.process(piece.span, at: SessionTime(samples: start)) { together[index].append($0) }
            }
        }
        #expect(together == alone)
    }
}

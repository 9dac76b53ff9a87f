import Testing

@testable import LiveKitMedia

extension ClientLibraryTests {
    @Suite struct AgentTrackTests {
        private static let millisecond: Int64 = 1_000_000

        private func track(playing samples: Int, isHeard: Bool = true) throws -> AgentTrack {
            let track = try AgentTrack(library: try Client.library(), name: "agent")
            track.isHeard = isHeard
            track.play([Int16](repeating: 1, count: samples).span)
            return track
        }

        @Test func sendsTenMillisecondsEveryTenMilliseconds() throws {
            let track = try track(playing: 1_600)
            track.tick(0)
            #expect(track.waitingSamples == 1_440)
            track.tick(9 * Self.millisecond)
            #expect(track.waitingSamples == 1_440)
            track.tick(10 * Self.millisecond)
            #expect(track.waitingSamples == 1_280)
            // A tick that is late sends what is due, and the next one is not late for it.
            track.tick(35 * Self.millisecond)
            #expect(track.waitingSamples == 960)
            track.tick(40 * Self.millisecond)
            #expect(track.waitingSamples == 800)
        }

        @Test func makesUpForAFewFramesOfAStandstillOnly() throws {
            let track = try track(playing: 16_000)
            track.tick(0)
            track.tick(900 * Self.millisecond)
            #expect(track.waitingSamples == 16_000 - 160 - 6 * 160)
            track.tick(910 * Self.millisecond)
            #expect(track.waitingSamples == 16_000 - 160 - 7 * 160)
        }

        @Test func waitsUntilSomebodyHearsIt() throws {
            let track = try track(playing: 320, isHeard: false)
            track.tick(0)
            #expect(track.waitingSamples == 320)
            track.isHeard = true
            track.tick(10 * Self.millisecond)
            #expect(track.waitingSamples == 160)
        }

        @Test func theEndOfAReplyIsFilledUpAndNothingIsLeftOver() throws {
            let track = try track(playing: 200)
            track.tick(0)
            track.tick(10 * Self.millisecond)
            #expect(track.waitingSamples == 0)
            track.tick(20 * Self.millisecond)
            #expect(track.waitingSamples == 0)
        }

        @Test func whatHasNotGoneOutIsTakenBack() throws {
            let track = try track(playing: 1_600)
            track.tick(0)
            track.clear()
            #expect(track.waitingSamples == 0)
            track.play([Int16](repeating: 2, count: 480).span)
            #expect(track.waitingSamples == 480)
        }

        @Test func aLongReplyThatNeverRunsDryIsCountedRight() throws {
            let track = try track(playing: 1_600)
            for frame in 0..<400 {
                // Confirmations come from other threads: however many are missing, what is played is what waits or has gone out.
                let before = track.waitingSamples
                track.play([Int16](repeating: 3, count: 160).span)
                #expect(track.waitingSamples == before + 160)
                track.tick(Int64(frame) * 10 * Self.millisecond)
                #expect((0...6).contains { track.waitingSamples == before + 160 - $0 * 160 })
            }
        }
    }
}

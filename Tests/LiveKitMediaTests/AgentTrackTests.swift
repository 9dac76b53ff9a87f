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

        @Test func sendsTwentyMillisecondsEveryTwentyMilliseconds() throws {
            let track = try track(playing: 1_600)
            track.tick(0)
            #expect(track.waitingSamples == 1_280)
            track.tick(14 * Self.millisecond)
            #expect(track.waitingSamples == 1_280)
            // A tick may come a little early, and what it sends is not sent again.
            track.tick(18 * Self.millisecond)
            #expect(track.waitingSamples == 960)
            track.tick(22 * Self.millisecond)
            #expect(track.waitingSamples == 960)
            // A tick that is late sends what is due, and the next one is not late for it.
            track.tick(70 * Self.millisecond)
            #expect(track.waitingSamples == 320)
            track.tick(80 * Self.millisecond)
            #expect(track.waitingSamples == 0)
        }

        @Test func makesUpForAFewPacketsOfAStandstillOnly() throws {
            let track = try track(playing: 16_000)
            track.tick(0)
            track.tick(900 * Self.millisecond)
            #expect(track.waitingSamples == 16_000 - 320 - 4 * 320)
            track.tick(920 * Self.millisecond)
            #expect(track.waitingSamples == 16_000 - 320 - 5 * 320)
        }

        @Test func waitsUntilSomebodyHearsIt() throws {
            let track = try track(playing: 640, isHeard: false)
            track.tick(0)
            #expect(track.waitingSamples == 640)
            track.isHeard = true
            track.tick(20 * Self.millisecond)
            #expect(track.waitingSamples == 320)
        }

        @Test func theEndOfAReplyIsFilledUpAndNothingIsLeftOver() throws {
            let track = try track(playing: 500)
            track.tick(0)
            track.tick(20 * Self.millisecond)
            #expect(track.waitingSamples == 0)
            track.tick(40 * Self.millisecond)
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
            for packet in 0..<400 {
                // Confirmations come from other threads: however many are missing, what is played is what waits or has gone out.
                let before = track.waitingSamples
                track.play([Int16](repeating: 3, count: 320).span)
                #expect(track.waitingSamples == before + 320)
                track.tick(Int64(packet) * 20 * Self.millisecond)
                #expect((0...4).contains { track.waitingSamples == before + 320 - $0 * 320 })
            }
        }
    }
}

import Testing

@testable import Audio

@Suite struct SessionTimeTests {
    @Test func convertsMillisecondsAndDurations() {
        #expect(SessionTime(milliseconds: 20).samples == 320)
        #expect(SessionTime(samples: 15).milliseconds == 0)
        #expect(SessionTime(samples: -1).milliseconds == -1)
        #expect(SessionTime(samples: -16).milliseconds == -1)
        #expect(SessionTime(.milliseconds(1500)).samples == 24_000)
        #expect(SessionTime(seconds: 0.5).samples == 8_000)
        #expect(SessionTime(samples: 1).duration == .nanoseconds(62_500))
    }

    @Test func ordersAndAdds() {
        #expect(SessionTime.milliseconds(10) < .milliseconds(20))
        #expect(SessionTime.milliseconds(10) + .milliseconds(20) == .milliseconds(30))
        #expect(-SessionTime.milliseconds(10) == .zero - .milliseconds(10))
        #expect(SessionTime.milliseconds(30) / 3 * 2 == .milliseconds(20))
    }

    @Test func describesItselfInSeconds() {
        #expect(SessionTime(milliseconds: 12_340).description == "12.340 s")
        #expect(SessionTime(milliseconds: -5).description == "-0.005 s")
    }
}

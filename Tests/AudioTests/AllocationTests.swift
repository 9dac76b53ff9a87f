#if canImport(Glibc)
    import Glibc
    import Testing

    @testable import Audio

    /// Each test runs in a process of its own that, once warmed up, is left without a byte of memory: whatever allocates
    /// from then on, even if it frees at once, dies.
    @Suite struct AllocationTests {
        @Test func theCallerPathAllocatesNothingInSteadyState() async {
            await #expect(processExitsWith: .success) {
                // Not an array: unoptimised code allocates to walk through one.
                let wide = CallerPath(rate: 16_000, channels: 1)
                let studio = CallerPath(rate: 48_000, channels: 2)
                let telephone = CallerPath(rate: 8_000, channels: 1)
                try step(wide, studio, telephone, times: 100)
                leaveNoMemory()
                try step(wide, studio, telephone, times: 500)
                _exit(wide.taken == 600 * 320 ? EXIT_SUCCESS : EXIT_FAILURE)
            }
        }

        @Test func aStallAndItsBurstAllocateNothingOnceTheyHappened() async {
            await #expect(processExitsWith: .success) {
                let path = CallerPath(rate: 16_000, channels: 1)
                for _ in 0..<100 { try path.step() }
                try path.stall()
                leaveNoMemory()
                try path.stall()
                _exit(path.timeline.statistics.stalls == 2 ? EXIT_SUCCESS : EXIT_FAILURE)
            }
        }

        @Test func theQueueAndTheLevelAllocateNothing() async {
            await #expect(processExitsWith: .success) {
                let path = QueuePath()
                path.step()
                leaveNoMemory()
                for _ in 0..<100 { path.step() }
                _exit(path.loudest > 0 ? EXIT_SUCCESS : EXIT_FAILURE)
            }
        }

        /// What the tests above rest on.
        @Test func anAllocationThatIsFreedAtOnceWouldBeSeen() async {
            await #expect(processExitsWith: .failure) {
                var count = 0
                leaveNoMemory()
                for index in 0..<10 { count += [Int](repeating: index, count: 4 + index).count }
                _exit(count == 85 ? EXIT_SUCCESS : EXIT_FAILURE)
            }
        }
    }

    /// One caller: bytes with a WAV header through the normaliser and the timeline, 20 ms a step.
    private final class CallerPath {
        let rate: Int
        let channels: Int
        let bytes: [UInt8]
        var normalizer = CallerAudioNormalizer()
        var scratch = SampleBuffer(capacity: 1_024)
        var timeline = SessionTimeline()
        var now: UInt64 = 1_000_000_000
        var taken = 0

        init(rate: Int, channels: Int) {
            self.rate = rate
            self.channels = channels
            let samples = Signals.sine(440, count: rate / 50 * channels, rate: rate)
            bytes = WAVFile(sampleRate: rate, channels: channels, samples: samples).bytes
        }

        func step() throws {
            let bytes = bytes
            scratch.removeAll()
            try normalizer.normalize(bytes.span.bytes, sampleRate: rate, channels: channels, into: &scratch)
            now += 20_000_000
            var count = 0
            timeline.receive(scratch.samples.span, at: now) { _, samples in count += samples.count }
            timeline.tick(at: now + 1_000_000) { _, samples in count += samples.count }
            taken += count
        }

        /// A second without packets, then their burst.
        func stall() throws {
            for _ in 0..<50 {
                now += 20_000_000
                timeline.tick(at: now) { _, _ in }
            }
            for _ in 0..<50 {
                now -= 20_000_000
                try step()
            }
        }
    }

    private func step(_ first: CallerPath, _ second: CallerPath, _ third: CallerPath, times: Int) throws {
        for _ in 0..<times {
            try first.step()
            try second.step()
            try third.step()
        }
    }

    /// A frame into the queue, most of it out again and measured.
    private final class QueuePath {
        let frame = [Int16](repeating: 100, count: 320)
        var queue = BoundedSampleQueue(capacity: 1_000)
        var scratch = SampleBuffer(capacity: 1_000)
        var loudest: Float = 0

        func step() {
            scratch.removeAll()
            let frame = frame
            queue.append(frame.span)
            queue.read(300, into: &scratch)
            loudest = max(loudest, AudioLevel(of: scratch.samples.span).rms)
        }
    }

    /// From here on the address space cannot grow, and what malloc had left is used up.
    private func leaveNoMemory() {
        var limit = rlimit(rlim_cur: 0, rlim_max: 0)
        _ = getrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit)
        limit.rlim_cur = 0
        _ = setrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit)
        for shift in stride(from: 20, through: 4, by: -1) {
            // Odd sizes as well: a chunk that is a little too small for one power of two holds many of the next.
            while malloc(1 << shift) != nil {}
            while malloc(3 << (shift - 1)) != nil {}
        }
        for size in stride(from: 1_032, through: 8, by: -16) {
            while malloc(size) != nil {}
        }
    }
#endif

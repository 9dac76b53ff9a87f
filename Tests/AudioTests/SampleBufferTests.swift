import Testing

@testable import Audio

@Suite struct SampleBufferTests {
    @Test func appendsAndForgetsFromTheFront() {
        var buffer = SampleBuffer()
        buffer.append([1, 2, 3].span)
        buffer.appendSilence(2)
        buffer.append(9)
        #expect(buffer.samples == [1, 2, 3, 0, 0, 9])
        buffer.removeFirst(2)
        #expect(buffer.samples == [3, 0, 0, 9])
        buffer.removeFirst(10)
        #expect(buffer.isEmpty)
    }

    @Test func keepsItsStorageWhenEmptied() {
        var buffer = SampleBuffer(capacity: 640)
        let frame = [Int16](repeating: 7, count: 320)
        buffer.append(frame.span)
        let before = buffer.samples.withUnsafeBufferPointer { $0.baseAddress }
        for _ in 0..<100 {
            buffer.removeAll()
            buffer.append(frame.span)
            buffer.append(frame.span)
        }
        #expect(buffer.samples.withUnsafeBufferPointer { $0.baseAddress } == before)
        #expect(buffer.length == .milliseconds(40))
    }
}

@Suite struct BoundedSampleQueueTests {
    @Test func returnsSamplesInOrderAcrossTheSeam() {
        var queue = BoundedSampleQueue(capacity: 5)
        var output = SampleBuffer()
        queue.append([1, 2, 3, 4].span)
        #expect(queue.read(3, into: &output) == 3)
        queue.append([5, 6, 7].span)
        #expect(queue.count == 4)
        #expect(queue.read(10, into: &output) == 4)
        #expect(output.samples == [1, 2, 3, 4, 5, 6, 7])
        #expect(queue.dropped == 0)
    }

    @Test func dropsTheOldestAtTheBoundAndCountsIt() {
        var queue = BoundedSampleQueue(capacity: 4)
        var output = SampleBuffer()
        #expect(queue.append([1, 2, 3].span) == 0)
        #expect(queue.append([4, 5, 6].span) == 2)
        queue.read(4, into: &output)
        #expect(output.samples == [3, 4, 5, 6])
        #expect(queue.dropped == 2)
    }

    @Test func keepsTheNewestOfARunLongerThanItself() {
        var queue = BoundedSampleQueue(capacity: 3)
        var output = SampleBuffer()
        queue.append([1].span)
        #expect(queue.append([2, 3, 4, 5, 6].span) == 3)
        queue.read(3, into: &output)
        #expect(output.samples == [4, 5, 6])
        #expect(queue.dropped == 3)
    }

    @Test func forgetsWithoutCounting() {
        var queue = BoundedSampleQueue(capacity: 3)
        queue.append([1, 2].span)
        queue.removeAll()
        #expect(queue.isEmpty)
        #expect(queue.dropped == 0)
    }
}

@Suite struct AudioLevelTests {
    @Test func measuresSines() {
        let level = AudioLevel(of: Signals.sine(1000, amplitude: 32767, count: 16_000).span)
        #expect(abs(level.dBFS + 3.01) < 0.01)
        #expect(abs(level.peakDBFS) < 0.01)
    }

    @Test func silenceHasAFloor() {
        #expect(AudioLevel(of: [Int16](repeating: 0, count: 320).span).dBFS == AudioLevel.silence)
        #expect(AudioLevel(of: [Int16]().span).rms == 0)
    }

    @Test func takesTheLowestSampleValue() {
        let level = AudioLevel(of: [Int16](repeating: .min, count: 4).span)
        #expect(level.rms == 1)
        #expect(level.dBFS == 0)
    }

    @Test func mixesWithSaturationAndExtends() {
        var buffer = SampleBuffer([30_000, -30_000, 5])
        AudioMixer.mix([10_000, -10_000].span, into: &buffer)
        AudioMixer.mix([100, 100].span, into: &buffer, at: 2, gain: 0.5)
        #expect(buffer.samples == [32_767, -32_768, 55, 50])
    }
}

import NIOCore
import RelayLink
import Testing

@Suite struct AgentAudioQueueTests {
    private func bytes(_ value: UInt8) -> ByteBuffer { ByteBuffer(bytes: [value]) }

    @Test func audioPassesAtOnceWhileTheCallerTakesIt() {
        var queue = AgentAudioQueue()
        var actions: [AgentAudioQueue.Action] = []
        queue.audio(fence: 2, reply: 1, firstSample: 0, samples: 320, bytes: bytes(1)) { actions.append($0) }
        #expect(actions == [.send(bytes(1), text: false)])
        #expect(queue.deliveredReply == 1)
        #expect(queue.deliveredSample == 320)
    }

    @Test func aLowerFenceIsRevokedAndNotHeard() {
        var queue = AgentAudioQueue()
        queue.raiseFence(5)
        var actions: [AgentAudioQueue.Action] = []
        queue.audio(fence: 4, reply: 1, firstSample: 0, samples: 320, bytes: bytes(1)) { actions.append($0) }
        queue.control(fence: 4, text: false, bytes: bytes(2)) { actions.append($0) }
        queue.clear(fence: 4, reply: 9, sample: 0) { actions.append($0) }
        #expect(actions == [.revoke(fence: 5), .revoke(fence: 5), .revoke(fence: 5)])
        #expect(queue.deliveredReply == 0)
    }

    @Test func aThrottledCallerGetsAtMost500MillisecondsLate() {
        var queue = AgentAudioQueue()
        var actions: [AgentAudioQueue.Action] = []
        queue.writability(false) { actions.append($0) }
        for index in 0..<35 {
            queue.audio(fence: 1, reply: 1, firstSample: Int64(index) * 320, samples: 320, bytes: bytes(UInt8(index))) { actions.append($0) }
        }
        #expect(actions == [.throttle(true)])
        #expect(queue.droppedSamples == 10 * 320)
        actions = []
        queue.writability(true) { actions.append($0) }
        #expect(actions.dropLast() == (10..<35).map { .send(bytes(UInt8($0)), text: false) }[...])
        #expect(actions.last == .throttle(false))
        #expect(queue.deliveredSample == 35 * 320)
        #expect(queue.settledSamples == 35 * 320)
        queue.workerChanged()
        #expect(queue.settledSamples == 0)
    }

    @Test func clearOvertakesHeldAudioButKeepsControl() {
        var queue = AgentAudioQueue()
        var actions: [AgentAudioQueue.Action] = []
        queue.writability(false) { _ in }
        queue.audio(fence: 1, reply: 1, firstSample: 0, samples: 320, bytes: bytes(1)) { _ in }
        queue.control(fence: 1, text: true, bytes: bytes(2)) { _ in }
        queue.audio(fence: 1, reply: 2, firstSample: 0, samples: 320, bytes: bytes(3)) { _ in }
        #expect(queue.settledSamples == 0)
        queue.clear(fence: 1, reply: 1, sample: 0) { _ in }
        #expect(queue.settledSamples == 320)
        queue.writability(true) { actions.append($0) }
        #expect(actions == [.send(bytes(2), text: true), .send(bytes(3), text: false), .throttle(false)])
    }

    @Test func aCallerThatTakesNothingIsStuckAtTheBound() {
        var queue = AgentAudioQueue()
        queue.writability(false) { _ in }
        for _ in 0...AgentAudioQueue.maximumHeldControl { queue.control(fence: 1, text: false, bytes: bytes(1)) { _ in } }
        #expect(queue.isStuck)
    }
}

@Suite struct KeptMessagesTests {
    @Test func releasedMessagesAreForgottenAndNumbersGoOn() {
        var kept = KeptMessages()
        for index in 0..<5 { #expect(kept.append(ByteBuffer(bytes: [UInt8(index)]), text: false, arrivalMicroseconds: 0) == UInt64(index) + 1) }
        kept.release(through: 3)
        #expect(kept.firstKept == 4)
        #expect(kept.all.map(\.number) == [4, 5])
        kept.release(through: 99)
        #expect(kept.count == 0)
        #expect(kept.firstKept == 6)
    }

    @Test func atMost15SecondsAreKept() {
        var kept = KeptMessages()
        for second in 0..<20 { _ = kept.append(ByteBuffer(bytes: [1]), text: false, arrivalMicroseconds: Int64(second) * 1_000_000) }
        #expect(kept.firstKept == 5)
        #expect(kept.dropped == 4)
    }

    @Test func memoryIsBoundedForHugeMessages() {
        var kept = KeptMessages()
        for _ in 0..<10 { _ = kept.append(ByteBuffer(repeating: 0, count: 1 << 20), text: false, arrivalMicroseconds: 0) }
        #expect(kept.count == 4)
    }
}

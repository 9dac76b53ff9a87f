package import NIOCore

/// What the relay does with the worker's messages: passes on only the highest fence, holds agent audio while the caller's socket does not take
/// it, counts what has been taken, so that a worker does not send what nobody takes, and lets `clear` overtake what is held. Pure; the dispatcher performs the actions.
package struct AgentAudioQueue: Sendable {
    package enum Action: Sendable, Equatable {
        /// Write to the caller's socket.
        case send(ByteBuffer, text: Bool)
        /// Tell the worker to let playout stand still, or go on.
        case throttle(Bool)
        /// Tell this worker that it lost the session.
        case revoke(fence: UInt64)
    }

    private struct Held: Sendable {
        var reply: UInt32?
        var firstSample: Int64
        var samples: UInt32
        var bytes: ByteBuffer
        var text: Bool
    }

    /// Samples at 16 kHz: 500 ms, more than a worker sends ahead of what is taken.
    package static let maximumHeldSamples = 8_000
    /// Control messages held while the caller's socket is stuck; at the bound the caller is cut off by the dispatcher.
    package static let maximumHeldControl = 1_024

    private var held: CircularBuffer<Held> = CircularBuffer(initialCapacity: 16)
    private var heldSamples = 0
    private var writable = true
    /// The worker has been told to let playout stand still.
    package private(set) var throttling = false
    package private(set) var highestFence: UInt64 = 0
    /// The last audio that went to the caller's socket: reply and the sample after it.
    package private(set) var deliveredReply: UInt32 = 0
    package private(set) var deliveredSample: Int64 = 0
    /// Audio samples of this worker that went to the caller's socket or were dropped.
    package private(set) var settledSamples: UInt64 = 0
    /// Audio samples dropped because the caller did not take them in time.
    package private(set) var droppedSamples = 0
    /// The caller took nothing for so long that control messages piled up.
    package private(set) var isStuck = false

    package init() {}

    package mutating func raiseFence(_ fence: UInt64) { highestFence = max(highestFence, fence) }

    package mutating func audio(
        fence: UInt64, reply: UInt32, firstSample: Int64, samples: UInt32, text: Bool = false, bytes: ByteBuffer, _ perform: (Action) -> Void
    ) {
        guard accept(fence, perform) else { return }
        if writable, held.isEmpty {
            settledSamples += UInt64(samples)
            deliver(reply: reply, sample: firstSample + Int64(samples))
            return perform(.send(bytes, text: text))
        }
        held.append(Held(reply: reply, firstSample: firstSample, samples: samples, bytes: bytes, text: text))
        heldSamples += Int(samples)
        setThrottle(true, perform)
        dropOldestAudio()
    }

    package mutating func control(fence: UInt64, text: Bool, bytes: ByteBuffer, _ perform: (Action) -> Void) {
        guard accept(fence, perform) else { return }
        if writable, held.isEmpty { return perform(.send(bytes, text: text)) }
        held.append(Held(reply: nil, firstSample: 0, samples: 0, bytes: bytes, text: text))
        if held.count > Self.maximumHeldControl { isStuck = true }
    }

    /// Drops held audio of `reply` and earlier ones; the caller has dropped what it had behind `sample` of it.
    package mutating func clear(fence: UInt64, reply: UInt32, sample: Int64, _ perform: (Action) -> Void) {
        guard accept(fence, perform) else { return }
        if reply >= deliveredReply { deliver(reply: reply, sample: sample) }
        dropAudio(through: reply)
    }

    /// The session's worker is gone: the next one sends again what has not been delivered.
    package mutating func workerChanged() {
        dropAudio(through: .max)
        settledSamples = 0
    }

    private mutating func dropAudio(through reply: UInt32) {
        var kept: CircularBuffer<Held> = CircularBuffer(initialCapacity: 16)
        for item in held {
            if let of = item.reply, of <= reply {
                settle(item)
            } else {
                kept.append(item)
            }
        }
        held = kept
    }

    /// The caller's socket takes data again, or does not.
    package mutating func writability(_ isWritable: Bool, _ perform: (Action) -> Void) {
        writable = isWritable
        guard isWritable else { return setThrottle(true, perform) }
        while let item = held.popFirst() {
            settle(item)
            if let reply = item.reply { deliver(reply: reply, sample: item.firstSample + Int64(item.samples)) }
            perform(.send(item.bytes, text: item.text))
        }
        setThrottle(false, perform)
    }

    private mutating func accept(_ fence: UInt64, _ perform: (Action) -> Void) -> Bool {
        if fence < highestFence {
            perform(.revoke(fence: highestFence))
            return false
        }
        highestFence = fence
        return true
    }

    private mutating func settle(_ item: Held) {
        heldSamples -= Int(item.samples)
        settledSamples += UInt64(item.samples)
    }

    private mutating func deliver(reply: UInt32, sample: Int64) {
        deliveredReply = reply
        deliveredSample = sample
    }

    private mutating func setThrottle(_ on: Bool, _ perform: (Action) -> Void) {
        guard throttling != on else { return }
        throttling = on
        perform(.throttle(on))
    }

    private mutating func dropOldestAudio() {
        while heldSamples > Self.maximumHeldSamples, let index = held.firstIndex(where: { $0.reply != nil }) {
            droppedSamples += Int(held[index].samples)
            settle(held.remove(at: index))
        }
    }
}

package import NIOCore

/// One ticker per event loop for all its sessions: every 5 ms it ticks a quarter of them, so each is ticked every 20 ms.
///
/// A hundred sessions cost one timer instead of a hundred, and their work is spread over the period.
package final class MediaClock {
    /// Milliseconds between two ticks of the same session.
    package static let periodMilliseconds: Int64 = 20
    private static let phases = 4

    package typealias Tick = (_ nanoseconds: Int64) -> Void

    private let eventLoop: any EventLoop
    private var slots: [[Int: Tick]] = Array(repeating: [:], count: phases)
    private var phase = 0
    private var nextKey = 0
    private var task: RepeatedTask?

    package init(on eventLoop: any EventLoop) { self.eventLoop = eventLoop }

    /// Adds a ticker to the least busy phase and returns its key. Must be called on the loop.
    package func add(_ tick: @escaping Tick) -> Int {
        eventLoop.preconditionInEventLoop()
        let slot = slots.indices.min { slots[$0].count < slots[$1].count } ?? 0
        let key = nextKey * Self.phases + slot
        nextKey += 1
        slots[slot][key] = tick
        start()
        return key
    }

    package func remove(_ key: Int) {
        slots[key % Self.phases][key] = nil
        if slots.allSatisfy(\.isEmpty) {
            task?.cancel()
            task = nil
        }
    }

    private func start() {
        guard task == nil else { return }
        let period = TimeAmount.milliseconds(Self.periodMilliseconds / Int64(Self.phases))
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        task = eventLoop.scheduleRepeatedTask(initialDelay: period, delay: period) { _ in bound.value.fire() }
    }

    private func fire() {
        phase = (phase + 1) % Self.phases
        let now = Int64(eventLoop.now.uptimeNanoseconds)
        for tick in slots[phase].values { tick(now) }
    }
}

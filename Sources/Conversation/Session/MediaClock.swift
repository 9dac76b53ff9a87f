package import NIOCore

/// One ticker per event loop for all its sessions: each is ticked every 20 ms.
///
/// Sessions share wake-ups of the loop, as far as their work stays short; beyond that they are spread over the four phases of the period.
package final class MediaClock {
    /// Milliseconds between two ticks of the same session.
    package static let periodMilliseconds: Int64 = 20
    private static let phases = 4
    /// Sessions of one phase before the next one is begun: a wake-up costs about as much as the ticks of so many.
    private static let together = 8

    package typealias Tick = (_ nanoseconds: Int64) -> Void

    /// Bound to the loop, where the clock is.
    private struct Firing: NIOScheduledCallbackHandler, Sendable {
        let clock: NIOLoopBound<MediaClock>

        func handleScheduledCallback(eventLoop: some EventLoop) { clock.value.fire() }
    }

    private let eventLoop: any EventLoop
    private var slots: [[Int: Tick]] = Array(repeating: [:], count: phases)
    private var nextKey = 0
    /// The phase that is ticked next.
    private var phase = 0
    /// When it is; nil without sessions.
    private var due: NIODeadline?
    private lazy var firing = Firing(clock: NIOLoopBound(self, eventLoop: eventLoop))

    package init(on eventLoop: any EventLoop) { self.eventLoop = eventLoop }

    /// Adds a ticker and returns its key. Must be called on the loop.
    package func add(_ tick: @escaping Tick) -> Int {
        eventLoop.preconditionInEventLoop()
        let slot = slots.firstIndex { $0.count < Self.together } ?? slots.indices.min { slots[$0].count < slots[$1].count } ?? 0
        let key = nextKey * Self.phases + slot
        nextKey += 1
        slots[slot][key] = tick
        if due == nil { schedule(after: eventLoop.now) }
        return key
    }

    package func remove(_ key: Int) { slots[key % Self.phases][key] = nil }

    /// Schedules the next phase that has sessions; none is ticked for nothing.
    private func schedule(after last: NIODeadline) {
        guard let steps = (1...Self.phases).first(where: { !slots[(phase + $0) % Self.phases].isEmpty }) else { return due = nil }
        phase = (phase + steps) % Self.phases
        // A loop that stood still makes up for nothing.
        let next = max(last + .milliseconds(Int64(steps) * Self.periodMilliseconds / Int64(Self.phases)), eventLoop.now)
        due = next
        // Fails only when the loop is being shut down, and then nothing ticks any more.
        _ = try? eventLoop.scheduleCallback(at: next, handler: firing)
    }

    private func fire() {
        guard let due else { return }
        let now = Int64(eventLoop.now.uptimeNanoseconds)
        for tick in slots[phase].values { tick(now) }
        schedule(after: due)
    }
}

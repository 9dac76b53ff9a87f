import NIOCore

/// Which workers live, by what their control connections say. A value: it is told of the time and does no I/O.
///
/// The end of a connection is certain: the process is gone, or cut off from here, and either way the sessions that this dispatcher relays to it have
/// no worker. Silence is not: a machine short of processor time silences several workers, or this process. So silence counts only while fewer than
/// two workers, or fewer than half of them, are silent; else nothing is moved for two lease periods. And after a pause of this process everybody
/// gets the time again.
struct WorkerVigil {
    struct Timing {
        /// Silence that is death, in nanoseconds: five beats.
        var silence: Int64 = 500_000_000
        /// How long silence of many is not believed, in nanoseconds: two lease periods.
        var doubt: Int64 = 6_000_000_000
        /// A tick that comes this much after the one before shows that this process stood still, in nanoseconds; ticks come every 100 ms.
        var pause: Int64 = 300_000_000
    }

    private struct Worker {
        var heardAt: Int64
        var isDead = false
    }

    private let timing: Timing
    private var workers: [String: Worker] = [:]
    private var tickedAt: Int64?
    private var doubtUntil: Int64?

    init(timing: Timing = Timing()) { self.timing = timing }

    /// Those that are taken for dead.
    var dead: Set<String> { Set(workers.filter(\.value.isDead).keys) }
    func isAlive(_ worker: String) -> Bool { workers[worker].map { !$0.isDead } ?? false }

    /// A control connection is there, or a beat has come on it.
    mutating func heard(_ worker: String, now: Int64) { workers[worker] = Worker(heardAt: now) }

    /// The control connection has ended, or cannot be made. True: the worker is dead since now.
    mutating func ended(_ worker: String) -> Bool {
        guard workers[worker]?.isDead != true else { return false }
        workers[worker] = Worker(heardAt: 0, isDead: true)
        return true
    }

    /// The worker has said goodbye, or nobody knows it any more.
    mutating func forget(_ worker: String) { workers[worker] = nil }

    /// Time goes on: the workers that are dead since now.
    mutating func tick(now: Int64) -> [String] {
        defer { tickedAt = now }
        if let tickedAt, now - tickedAt > timing.pause {
            for worker in workers.keys where workers[worker]?.isDead == false { workers[worker]?.heardAt = now }
            return []
        }
        let living = workers.filter { !$0.value.isDead }
        let silent = living.filter { now - $0.value.heardAt >= timing.silence }.keys.sorted()
        guard silent.count >= 2, silent.count * 2 >= living.count else {
            doubtUntil = nil
            return die(silent)
        }
        let until = doubtUntil ?? now + timing.doubt
        doubtUntil = until
        return now >= until ? die(silent) : []
    }

    private mutating func die(_ names: [String]) -> [String] {
        for name in names { workers[name]?.isDead = true }
        return names
    }
}

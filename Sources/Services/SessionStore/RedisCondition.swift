import RedisClient
import SessionLog
import Synchronization
import Telemetry

/// How Redis is: how full, with how many replicas, and since when it answers. Asked once a second, read everywhere.
///
/// A process that has just begun does not know whether Redis was away before: it is as if it had come back with the first answer. A Redis with
/// another run id is another one, or the same with what its disk had: that is an absence too, however short. So is a step of its clock, which
/// makes all leases run out at once.
final class RedisCondition: Sendable {
    struct Snapshot: Sendable, Equatable {
        /// Of the configured maximum; 0 where there is none.
        var memory = 0.0
        var replicas = 0
        /// Monotonic milliseconds since when the same Redis has answered; nil while none does.
        var availableSince: Int64?
        var runID = ""
        var clock: Clock?

        /// Redis's clock beside ours, in milliseconds.
        struct Clock: Equatable {
            let redis: Int64
            let monotonic: Int64
        }
    }

    private let settings: StoreSettings
    private let metrics: StoreMetrics
    private let state = Mutex(Snapshot())

    init(settings: StoreSettings, metrics: StoreMetrics) {
        self.settings = settings
        self.metrics = metrics
    }

    var snapshot: Snapshot { state.withLock { $0 } }
    var stopsTelemetry: Bool { state.withLock { $0.memory } >= settings.telemetryStopsAt }
    var stopsOpening: Bool { state.withLock { $0.memory } >= settings.openingStopsAt }
    var hasReplicas: Bool { state.withLock { $0.replicas } > 0 }

    /// Redis has been there for two lease periods: leases that ended since mean something.
    func isSettled(now: Int64) -> Bool {
        snapshot.availableSince.map { now - $0 >= settings.settlingLeases * settings.lease } ?? false
    }

    /// Redis did not answer.
    func wentAway() {
        state.withLock { $0.availableSince = nil }
    }

    /// Redis's clock showed `time`, in milliseconds.
    func saw(time: Int64, now: Int64) {
        state.withLock { state in
            if let last = state.clock, abs(time - last.redis - (now - last.monotonic)) > settings.lease / 3 {
                state.availableSince = state.availableSince.map { _ in now }
            }
            state.clock = Snapshot.Clock(redis: time, monotonic: now)
        }
    }

    /// Redis answered `INFO server`, `INFO memory` and `INFO replication`.
    func answered(server: String, memory: String, replication: String, now: Int64) {
        let runID = Self.text("run_id", of: server) ?? ""
        state.withLock {
            if $0.availableSince == nil || $0.runID != runID { $0.availableSince = now }
            $0.runID = runID
            $0.memory = Self.memory(of: memory)
            $0.replicas = Self.field("connected_slaves", of: replication).map { Int($0) } ?? 0
        }
        if let time = Self.field("server_time_usec", of: server) { saw(time: Int64(time / 1000), now: now) }
        metrics.memory.set(snapshot.memory)
        metrics.replicas.set(Double(snapshot.replicas))
    }

    /// Asks once a second until the task is cancelled.
    func watch(_ redis: RedisClient) async {
        while !Task.isCancelled {
            do {
                let replies = try await redis.pipeline([
                    RedisCommand("INFO", "server"), RedisCommand("INFO", "memory"), RedisCommand("INFO", "replication"),
                ])
                let texts = try replies.map { try $0.value().string ?? "" }
                answered(server: texts[0], memory: texts[1], replication: texts[2], now: StoreClock.now)
            } catch {
                if !Task.isCancelled { wentAway() }
            }
            try? await Task.sleep(for: .seconds(1))
        }
    }

    static func memory(of info: String) -> Double {
        guard let maximum = field("maxmemory", of: info), maximum > 0, let used = field("used_memory", of: info) else {
            return 0
        }
        return used / maximum
    }

    private static func field(_ name: String, of info: String) -> Double? {
        text(name, of: info).flatMap { Double($0) }
    }

    private static func text(_ name: String, of info: String) -> String? {
        for line in info.split(whereSeparator: \.isNewline) where line.hasPrefix("\(name):") {
            return String(line.dropFirst(name.utf8.count + 1))
        }
        return nil
    }
}

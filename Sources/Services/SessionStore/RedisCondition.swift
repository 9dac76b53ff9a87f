import RedisClient
import SessionLog
import Synchronization
import Telemetry

/// How Redis is: how full, with how many replicas, and since when it answers. Asked once a second, read everywhere.
final class RedisCondition: Sendable {
    struct Snapshot: Sendable, Equatable {
        /// Of the configured maximum; 0 where there is none.
        var memory = 0.0
        var replicas = 0
        var isAvailable = true
        /// Monotonic milliseconds of the last time Redis did not answer; nil when it always has.
        var awayAt: Int64?
    }

    private let settings: StoreSettings
    private let metrics: StoreMetrics
    private let state = Mutex(Snapshot())

    init(settings: StoreSettings, metrics: StoreMetrics) {
        self.settings = settings
        self.metrics = metrics
    }

    var snapshot: Snapshot { state.withLock { $0 } }
    var stopsTelemetry: Bool { snapshot.memory >= settings.telemetryStopsAt }
    var stopsOpening: Bool { snapshot.memory >= settings.openingStopsAt }
    var hasReplicas: Bool { snapshot.replicas > 0 }

    /// Two lease periods have passed since Redis was last away: leases that ended since mean something again.
    func isSettled(now: Int64) -> Bool {
        let snapshot = snapshot
        return snapshot.isAvailable && snapshot.awayAt.map { now - $0 >= 2 * settings.lease } ?? true
    }

    /// Redis did not answer.
    func wentAway(now: Int64) {
        state.withLock {
            $0.isAvailable = false
            $0.awayAt = now
        }
    }

    /// Redis answered `INFO memory` and `INFO replication`.
    func answered(memory: String, replication: String) {
        state.withLock {
            $0.isAvailable = true
            $0.memory = Self.memory(of: memory)
            $0.replicas = Self.field("connected_slaves", of: replication).map { Int($0) } ?? 0
        }
        metrics.memory.set(snapshot.memory)
        metrics.replicas.set(Double(snapshot.replicas))
    }

    /// Asks once a second until the task is cancelled.
    func watch(_ redis: RedisClient) async {
        while !Task.isCancelled {
            do {
                let replies = try await redis.pipeline([
                    RedisCommand("INFO", "memory"), RedisCommand("INFO", "replication"),
                ])
                answered(memory: try replies[0].value().string ?? "", replication: try replies[1].value().string ?? "")
            } catch {
                if !Task.isCancelled { wentAway(now: StoreClock.now) }
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
        for line in info.split(whereSeparator: \.isNewline) where line.hasPrefix("\(name):") {
            return Double(line.dropFirst(name.utf8.count + 1))
        }
        return nil
    }
}

package import Logging
package import PostgresClient
package import Resilience
import Synchronization
package import Telemetry

/// Tenants, keys and agents, answered from memory: a copy that is read at start and kept up to date while `run()` runs.
///
/// While PostgreSQL is away the last copy is served, and `age` says how old it is.
package final class TenantDirectory: Sendable {
    /// How the copy is kept.
    package struct Settings: Sendable {
        /// Between two looks at the version; a revoked key is accepted at most this long, plus one query.
        package var refreshInterval: Duration = .seconds(3)
        /// A copy confirmed longer ago than this is not fresh.
        package var freshFor: Duration = .seconds(15)
        /// Old versions of agents kept in memory; the first one in goes first.
        package var versionLimit = 256

        package init() {}
    }

    private let store: DirectoryStore
    private let settings: Settings
    private let clock: any MonotonicClock
    private let logger: Logger
    private let ageGauge: Gauge
    private let state = Mutex(State())

    private struct State {
        var snapshot: DirectorySnapshot?
        var confirmed: ContinuousClock.Instant?
        var versions: [String: AgentVersion] = [:]
        var versionOrder: [String] = []
        var isAway = false
    }

    package init(
        _ pool: PostgresPool, settings: Settings = Settings(), metrics: MetricsRegistry, logger: Logger,
        clock: any MonotonicClock = ContinuousClock()
    ) {
        store = DirectoryStore(pool)
        self.settings = settings
        self.clock = clock
        self.logger = logger
        ageGauge = metrics.gauge(
            "parley_directory_age_seconds",
            help: "Seconds since the copy of tenants, keys and agents was last confirmed.")
        metrics.onCollect { [weak self] in
            if let age = self?.age { self?.ageGauge.set(age.seconds) }
        }
    }

    // MARK: - Questions

    /// The newest copy.
    ///
    /// - Throws: `DirectoryError` with code `unavailable` before the first one was read.
    package func snapshot() throws -> DirectorySnapshot {
        guard let snapshot = state.withLock({ $0.snapshot }) else {
            throw DirectoryError(.unavailable, "tenants and keys have not been read yet; is PostgreSQL there?")
        }
        return snapshot
    }

    /// Time since the copy was last known to be current; nil before there is one.
    package var age: Duration? { state.withLock { $0.confirmed }.map { clock.now - $0 } }

    /// Whether the copy can be trusted to be current.
    package var isFresh: Bool { age.map { $0 <= settings.freshFor } ?? false }

    /// Checks an API key against the copy. See `DirectorySnapshot.authenticate`.
    package func authenticate(_ key: String) throws -> DirectorySnapshot.Authentication {
        try snapshot().authenticate(key)
    }

    /// The version that new sessions of an agent get; nil when there is no such agent.
    package func agent(tenant: String, name: String) throws -> AgentVersion? {
        try snapshot().agent(tenant: tenant, name: name)
    }

    /// A version by its hash: from memory where it is current or was asked for before, otherwise from PostgreSQL.
    package func agent(tenant: String, hash: String) async throws -> AgentVersion? {
        if let version = try snapshot().agent(tenant: tenant, hash: hash) { return version }
        let cacheKey = "\(tenant)/\(hash)"
        if let version = state.withLock({ $0.versions[cacheKey] }) { return version }
        guard let version = try await store.agent(tenant: tenant, hash: hash) else { return nil }
        state.withLock { state in
            if state.versions.updateValue(version, forKey: cacheKey) == nil { state.versionOrder.append(cacheKey) }
            if state.versionOrder.count > settings.versionLimit {
                state.versions.removeValue(forKey: state.versionOrder.removeFirst())
            }
        }
        return version
    }

    // MARK: - Keeping the copy

    /// Reads what changed, if anything did.
    package func refresh() async throws {
        let asked = clock.now
        let known = state.withLock { $0.snapshot?.version }
        let current = known == nil ? nil : try await store.version()
        let snapshot = known != nil && known == current ? nil : try await store.snapshot()
        let isBack = state.withLock { state in
            state.snapshot = snapshot ?? state.snapshot
            state.confirmed = asked
            defer { state.isAway = false }
            return state.isAway
        }
        if isBack { logger.notice("tenants and keys are current again") }
    }

    /// Refreshes until cancelled. Failures are logged once per outage and tried again at the next interval.
    package func run() async {
        while !Task.isCancelled {
            do {
                try await refresh()
            } catch {
                let isNew = state.withLock { state in
                    defer { state.isAway = true }
                    return !state.isAway
                }
                if isNew, !Task.isCancelled {
                    logger.error(
                        "tenants and keys cannot be refreshed; the last copy stays in use",
                        metadata: ["error": "\(error)"])
                }
            }
            try? await clock.sleep(until: clock.now + settings.refreshInterval, tolerance: nil)
        }
    }
}

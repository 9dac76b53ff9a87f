/// What goes wrong in a chaos run.
struct ChaosFault: Sendable, Hashable {
    enum Kind: String, Sendable, Hashable, CaseIterable {
        // A process dies without warning and is started again.
        case killWorker = "kill-worker"
        case killStore = "kill-store"
        case killArchiver = "kill-archiver"
        case killDispatcher = "kill-dispatcher"
        case killRedis = "kill-redis"
        case killPostgres = "kill-postgres"
        // A process stands still and goes on as if nothing had been.
        case stopWorker = "stop-worker"
        case stopStore = "stop-store"
        case stopArchiver = "stop-archiver"
        case stopDispatcher = "stop-dispatcher"
        case stopRedis = "stop-redis"
        // A server is restarted, fails over, or comes back without its last moments.
        case restartRedis = "restart-redis"
        case restartPostgres = "restart-postgres"
        case promoteReplica = "promote-replica"
        case cutAppendOnlyFile = "cut-aof"
        // The network.
        case resetRedis = "reset-redis"
        case resetStore = "reset-store"
        case resetPostgres = "reset-postgres"
        case stallRedis = "stall-redis"
        case stallStore = "stall-store"
        case partitionWorker = "partition-worker"
        // Disks and clocks.
        case slowDisk = "slow-disk"
        case stepClock = "step-clock"
        // Nothing goes wrong: a deployment.
        case drainWorker = "drain-worker"
        case drainDispatcher = "drain-dispatcher"
        case rollWorkers = "roll-workers"
        case rollStores = "roll-stores"
        case rollArchivers = "roll-archivers"
    }

    /// Milliseconds from the begin.
    var at: Int
    var kind: Kind
    /// The process it happens to; a kind of process or server where it happens to all of them.
    var target: String
    /// Milliseconds until what is down is started again, what stands still goes on, what is cut off is connected.
    var holds: Int
    /// Bytes that are cut off, seconds by which a clock is stepped, milliseconds by which a disk is slower.
    var amount = 0
}

extension ChaosFault.Kind {
    /// What it may happen to.
    func targets(_ shape: ChaosShape) -> [String] {
        func numbered(_ name: String, _ count: Int) -> [String] { (0..<count).map { "\(name)-\($0 + 1)" } }
        return switch self {
        case .killWorker, .stopWorker, .partitionWorker, .drainWorker: numbered("media-worker", shape.workers)
        case .killStore, .stopStore: numbered("session-store", shape.stores)
        case .killArchiver, .stopArchiver: numbered("archiver", shape.archivers)
        case .killDispatcher, .stopDispatcher, .drainDispatcher: numbered("dispatcher", shape.dispatchers)
        case .stepClock: numbered("media-worker", shape.workers) + numbered("session-store", shape.stores)
        case .rollWorkers: ["media-worker"]
        case .rollStores: ["session-store"]
        case .rollArchivers: ["archiver"]
        case .resetStore, .stallStore: ["session-store"]
        case .killRedis, .stopRedis, .restartRedis, .promoteReplica, .cutAppendOnlyFile, .resetRedis, .stallRedis:
            ["redis"]
        case .killPostgres, .restartPostgres, .resetPostgres, .slowDisk: ["postgres"]
        }
    }

    /// Milliseconds that it holds, drawn from this range.
    var holds: ClosedRange<Int> {
        switch self {
        case .killWorker, .killStore, .killArchiver, .killDispatcher: 500...1_500
        case .killRedis, .restartRedis, .killPostgres, .restartPostgres, .cutAppendOnlyFile, .promoteReplica:
            200...1_500
        case .stopWorker, .stopStore, .stopArchiver, .stopDispatcher, .stopRedis: 1_000...4_000
        case .stallRedis, .stallStore: 500...4_000
        case .partitionWorker: 2_000...6_000
        case .slowDisk, .stepClock: 3_000...6_000
        case .resetRedis, .resetStore, .resetPostgres, .drainWorker, .drainDispatcher, .rollWorkers, .rollStores,
            .rollArchivers:
            0...0
        }
    }

    var amounts: ClosedRange<Int> {
        switch self {
        case .cutAppendOnlyFile: 1...4_096
        case .slowDisk: 50...500
        case .stepClock: -30...30
        default: 0...0
        }
    }
}

/// How many of each service there are.
struct ChaosShape: Sendable, Hashable {
    var workers = 3
    var stores = 2
    var dispatchers = 2
    var archivers = 2
}

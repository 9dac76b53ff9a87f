import Foundation
import NIOCore
import RedisClient
import SessionLog
import Telemetry

/// Takes appends from all streams of the process and brings them to Redis in batches, one script call each.
///
/// Lives on the Redis client's event loop, so that an answer needs no change of threads.
actor AppendCoordinator {
    typealias Completion = @Sendable (_ answer: StoreAppended, _ isReplicated: Bool) -> Void

    private struct Item {
        let append: EventIntake.Prepared
        let worker: String
        let arrival: NIODeadline
        let completion: Completion
        var isRestored = false
    }

    nonisolated let eventLoop: any EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor { eventLoop.executor.asUnownedSerialExecutor() }
    private let redis: RedisClient
    private nonisolated let barrier: ReplicaBarrier
    private let condition: RedisCondition
    private let settings: StoreSettings
    private let metrics: StoreMetrics
    private var batcher: AppendBatcher<Item>

    init(
        redis: RedisClient, barrier: ReplicaBarrier, condition: RedisCondition, settings: StoreSettings,
        metrics: StoreMetrics
    ) {
        self.redis = redis
        self.barrier = barrier
        self.condition = condition
        self.settings = settings
        self.metrics = metrics
        eventLoop = redis.eventLoop
        batcher = AppendBatcher(
            interval: settings.batchInterval, maximumEvents: settings.batchEvents, limit: settings.waitingEvents)
    }

    /// Appends in the order of the calls of one thread. The answer comes on the event loop.
    nonisolated func submit(_ append: EventIntake.Prepared, worker: String, _ completion: @escaping Completion) {
        let item = Item(append: append, worker: worker, arrival: .now(), completion: completion)
        eventLoop.execute { self.assumeIsolated { $0.add(item) } }
    }

    /// Waits until a replica has what was written so far; false when none does in time.
    nonisolated func reachesReplica() async -> Bool {
        await withCheckedContinuation { continuation in
            eventLoop.execute {
                self.barrier.assumeIsolated { barrier in barrier.wait { continuation.resume(returning: $0) } }
            }
        }
    }

    private func add(_ item: Item) {
        guard batcher.add(item, events: item.append.entries.count) else { return finish(item, .unavailable, next: 0) }
        goOn()
    }

    private func goOn() {
        let action = batcher.next(now: StoreClock.now)
        metrics.waiting.set(Double(batcher.waiting))
        switch action {
        case .send(let items): send(items)
        case .wake(let time): wake(at: time)
        case nil: break
        }
    }

    private func wake(at time: Int64) {
        eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(max(0, time - StoreClock.now))) { [weak self] in
            self?.assumeIsolated { coordinator in
                coordinator.batcher.timer()
                coordinator.goOn()
            }
        }
    }

    // MARK: One batch

    private func send(_ items: [Item]) {
        var call = AppendCall(settings)
        for item in items { call.add(item.append, worker: item.worker) }
        metrics.batches.increment()
        redis.run(StoreScripts.append, keys: call.keys, arguments: call.arguments) { [weak self] result in
            self?.assumeIsolated { coordinator in
                coordinator.answered(items, result)
                coordinator.batcher.finished()
                coordinator.goOn()
            }
        }
    }

    private func answered(_ items: [Item], _ result: Result<RESPValue, RedisError>) {
        guard case .success(.array(let values)) = result, values.count == 2 * items.count else {
            if case .failure = result { condition.wentAway() }
            for item in items { finish(item, .unavailable, next: 0) }
            return
        }
        for (index, item) in items.enumerated() {
            let next = values[2 * index + 1].integer.map { UInt64(clamping: $0) } ?? 0
            let outcome = Self.outcome(values[2 * index].string)
            if outcome == .gone, let opening = item.append.opening, !item.isRestored {
                restore(item, opening)
            } else {
                finish(item, outcome, next: next)
            }
        }
    }

    /// Redis does not know the session, and its owner has the log from its first event: makes it anew and appends again.
    private func restore(_ item: Item, _ opening: EventIntake.Prepared.Opening) {
        let append = item.append
        let keys = [
            append.session.header, append.session.log, RedisKeys.leases,
            RedisKeys.archive(partition: append.session.id.partition),
        ]
        let arguments: [RedisArgument] = [
            .string(append.tenant), .string(append.session.name), .string(opening.agent),
            .string(opening.backend),
            .data(append.entries.first?.bytes ?? Data()), .integer(append.version), .integer(settings.life),
            .integer(settings.lease), .string(item.worker), .integer(append.fence), .integer(settings.restorableAge),
        ]
        redis.run(StoreScripts.restore, keys: keys, arguments: arguments) { [weak self] result in
            self?.assumeIsolated { $0.restored(item, result) }
        }
    }

    private func restored(_ item: Item, _ result: Result<RESPValue, RedisError>) {
        guard case .success(let value) = result, let answer = value.integer else {
            return finish(item, .unavailable, next: 0)
        }
        guard answer > 0 else { return finish(item, .gone, next: 0) }
        if answer == 1 { metrics.restored.increment() }
        var item = item
        item.isRestored = true
        add(item)
    }

    private static func outcome(_ name: String?) -> StoreAppendOutcome {
        switch name {
        case "stored": .stored
        case "behind": .behind
        case "fenced": .fenced
        case "gone": .gone
        default: .unavailable
        }
    }

    private func finish(_ item: Item, _ outcome: StoreAppendOutcome, next: UInt64) {
        let answer = item.append.answer(outcome, next: next)
        guard outcome == .stored, item.append.needsReplica, condition.hasReplicas else {
            return complete(item, answer, isReplicated: false)
        }
        let metrics = metrics
        barrier.assumeIsolated { barrier in
            barrier.wait { [weak self] isReplicated in
                if !isReplicated { metrics.unreplicated.increment() }
                self?.assumeIsolated { $0.complete(item, answer, isReplicated: isReplicated) }
            }
        }
    }

    private func complete(_ item: Item, _ answer: StoreAppended, isReplicated: Bool) {
        metrics.count(answer.outcome)
        metrics.events.increment(by: item.append.entries.count)
        metrics.appendSeconds.observe(Double((NIODeadline.now() - item.arrival).nanoseconds) / 1e9)
        item.completion(answer, isReplicated)
    }
}

import ClusterSupport
import Foundation

/// Plays faults on a cluster: each call returns when the fault is over and what was down is up again.
struct ChaosInjector: Sendable {
    /// A service that was told to end may take so long: its grace period and a little.
    private static let graceSeconds = 90

    let cluster: LocalCluster
    let shape: ChaosShape

    func play(_ fault: ChaosFault) async throws -> ChaosIncident {
        let from = ChaosClock.now
        let note = try await perform(fault)
        return ChaosIncident(fault: fault, from: from, to: ChaosClock.now, note: note)
    }

    private func perform(_ fault: ChaosFault) async throws -> String {
        switch fault.kind {
        case .killWorker, .killStore, .killArchiver, .killDispatcher: try await kill(fault.target, fault.holds)
        case .killPostgres: try await kill("postgres", fault.holds)
        case .killRedis: try await killRedis(SIGKILL, fault.holds)
        case .restartRedis: try await killRedis(SIGTERM, fault.holds)
        case .restartPostgres: try await end("postgres", SIGINT, fault.holds)
        case .stopWorker, .stopStore, .stopArchiver, .stopDispatcher: await standStill(fault.target, fault.holds)
        case .stopRedis: await standStill(cluster.primaryRedis, fault.holds)
        case .promoteReplica: try await promote(fault.holds)
        case .cutAppendOnlyFile: return try await cutAppendOnlyFile(fault)
        case .resetRedis, .resetStore, .resetPostgres:
            for proxy in cluster.proxies(of: fault.target) { await proxy.reset() }
        case .stallRedis, .stallStore: await stall(cluster.proxies(of: fault.target), fault.holds)
        case .partitionWorker: await stall(cluster.proxies(for: fault.target), fault.holds)
        case .slowDisk: await slowDown(cluster.proxies(of: fault.target), fault)
        case .stepClock: try await stepClock(fault)
        case .drainWorker, .drainDispatcher: return try await roll([fault.target])
        case .rollWorkers: return try await roll(names("media-worker", shape.workers))
        case .rollStores: return try await roll(names("session-store", shape.stores))
        case .rollArchivers: return try await roll(names("archiver", shape.archivers))
        }
        return ""
    }

    private func names(_ kind: String, _ count: Int) -> [String] { (0..<count).map { "\(kind)-\($0 + 1)" } }

    // MARK: Processes

    private func kill(_ name: String, _ holds: Int) async throws { try await end(name, SIGKILL, holds) }

    private func end(_ name: String, _ signal: Int32, _ holds: Int) async throws {
        cluster.signal(name, signal)
        guard await cluster.waitForExit(name) != nil else { throw CommandError("\(name) does not end") }
        await wait(holds)
        try await cluster.restart(name)
    }

    private func standStill(_ name: String, _ holds: Int) async {
        cluster.signal(name, SIGSTOP)
        await wait(holds)
        cluster.signal(name, SIGCONT)
    }

    /// One after the other is told to end and started again, as a deployment does.
    private func roll(_ names: [String]) async throws -> String {
        var times: [String] = []
        for name in names {
            let begin = ContinuousClock.now
            cluster.signal(name, SIGTERM)
            guard let status = await cluster.waitForExit(name, seconds: Self.graceSeconds) else {
                throw CommandError("\(name) does not end")
            }
            guard status == 0 else { throw CommandError("\(name) was told to end and ended with status \(status)") }
            times.append(
                "\(name) ended after \(begin.duration(to: .now).formatted(.units(allowed: [.seconds, .milliseconds], width: .narrow)))"
            )
            try await cluster.restart(name)
        }
        return times.joined(separator: ", ")
    }

    // MARK: Servers

    private func killRedis(_ signal: Int32, _ holds: Int) async throws {
        let name = cluster.primaryRedis
        try await end(name, signal, holds)
        try await cluster.follow()
    }

    private func promote(_ holds: Int) async throws {
        try await cluster.promoteReplica()
        await wait(holds)
        try await cluster.follow()
    }

    private func cutAppendOnlyFile(_ fault: ChaosFault) async throws -> String {
        let cut = try await cluster.cutAppendOnlyFile(bytes: fault.amount)
        await wait(fault.holds)
        try await cluster.restart(cluster.primaryRedis)
        try await cluster.follow()
        return "\(cut) bytes cut off"
    }

    // MARK: Network, disks, clocks

    private func stall(_ proxies: [FaultProxy], _ holds: Int) async {
        for proxy in proxies { await proxy.stall() }
        await wait(holds)
        for proxy in proxies { await proxy.resume() }
    }

    private func slowDown(_ proxies: [FaultProxy], _ fault: ChaosFault) async {
        for proxy in proxies { await proxy.delay(milliseconds: fault.amount) }
        await wait(fault.holds)
        for proxy in proxies { await proxy.delay(milliseconds: 0) }
    }

    private func stepClock(_ fault: ChaosFault) async throws {
        try FakeClock.step(fault.target, by: fault.amount, in: cluster)
        await wait(fault.holds)
        try FakeClock.step(fault.target, by: 0, in: cluster)
    }

    private func wait(_ milliseconds: Int) async { try? await Task.sleep(for: .milliseconds(milliseconds)) }
}

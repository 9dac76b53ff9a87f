package import Logging
package import NIOCore
package import RelayLink
import Resilience
import ServiceLifecycle
import Synchronization

/// Holds a control connection to every worker and tells the callers' connections at once when theirs dies.
package final class WorkerWatch: Service {
    /// A worker's relay port.
    package struct Address: Sendable, Hashable {
        package var id: String
        package var host: String
        package var port: Int

        package init(id: String, host: String, port: Int) {
            self.id = id
            self.host = host
            self.port = port
        }
    }

    /// Asks to be told of a death; ends with `cancel`.
    struct Observation: Sendable, Hashable {
        let worker: String
        let number: UInt64
    }

    private struct State {
        var vigil = WorkerVigil()
        var links: [String: Link] = [:]
        var observers: [String: [UInt64: @Sendable () -> Void]] = [:]
        var lastObserver: UInt64 = 0
        var lastLink: UInt64 = 0
    }

    private struct Link {
        var number: UInt64
        var address: Address
        var client: NIOLoopBound<RelayClient>?
    }

    private let list: @Sendable () async throws -> [Address]
    private let ticket: @Sendable () throws -> String
    private let eventLoop: any EventLoop
    private let logger: Logger
    private let adopt: (@Sendable (RelayAdoption, Address) -> Void)?
    private let state = Mutex(State())

    /// - Parameters:
    ///   - list: the workers that have announced themselves; asked once a second
    ///   - ticket: for a control connection
    ///   - eventLoop: the connections live on it; one that nobody else uses, so that beats are not late
    ///   - adopt: a worker has a session in a room that no dispatcher takes care of
    package init(
        list: @escaping @Sendable () async throws -> [Address], ticket: @escaping @Sendable () throws -> String, on eventLoop: any EventLoop,
        logger: Logger, adopt: (@Sendable (RelayAdoption, Address) -> Void)? = nil
    ) {
        self.adopt = adopt
        self.list = list
        self.ticket = ticket
        self.eventLoop = eventLoop
        self.logger = logger
    }

    /// Workers that must not get sessions although they may still be announced.
    var dead: Set<String> { state.withLock { $0.vigil.dead } }
    /// The worker's beats come.
    func isAlive(_ worker: String) -> Bool { state.withLock { $0.vigil.isAlive(worker) } }

    /// Calls back once, on `loop`, when the worker dies. A worker that is dead already, or not known, is not reported.
    func observe(_ worker: String, on loop: any EventLoop, _ died: @escaping @Sendable () -> Void) -> Observation {
        state.withLock { state in
            state.lastObserver += 1
            state.observers[worker, default: [:]][state.lastObserver] = { loop.execute(died) }
            return Observation(worker: worker, number: state.lastObserver)
        }
    }

    func cancel(_ observation: Observation) {
        state.withLock { state in
            state.observers[observation.worker]?[observation.number] = nil
            if state.observers[observation.worker]?.isEmpty == true { state.observers[observation.worker] = nil }
        }
    }

    package func run() async throws {
        await cancelWhenGracefulShutdown {
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await self.follow() }
                group.addTask { await self.keepTime() }
                await group.next()
                group.cancelAll()
            }
        }
        for link in state.withLock({ Array($0.links.values) }) { close(link) }
    }

    // MARK: Time

    private func keepTime() async {
        while !Task.isCancelled {
            let now = Int64(NIODeadline.now().uptimeNanoseconds)
            let (dead, links) = state.withLock { state in
                let dead = state.vigil.tick(now: now)
                return (dead, dead.compactMap { state.links.removeValue(forKey: $0) })
            }
            for link in links { close(link) }
            for worker in dead { tell(worker, because: "it is silent") }
            try? await Task.sleep(for: .milliseconds(100))
        }
    }

    private func tell(_ worker: String, because reason: String) {
        logger.warning("worker is dead", metadata: ["worker": "\(worker)", "reason": "\(reason)"])
        let observers = state.withLock { $0.observers.removeValue(forKey: worker) ?? [:] }
        for died in observers.values { died() }
    }

    // MARK: Connections

    /// Connects to new workers and to those whose connection has ended; forgets those that are gone.
    private func follow() async {
        while !Task.isCancelled {
            // While Redis is away the workers stay those that are known.
            if let workers = try? await list() {
                let missing = state.withLock { state in
                    let names = Set(workers.map(\.id))
                    for name in state.vigil.dead where !names.contains(name) { state.vigil.forget(name) }
                    return workers.filter { state.links[$0.id]?.address != $0 }
                }
                for worker in missing { connect(worker) }
            }
            try? await Task.sleep(for: .milliseconds(500))
        }
    }

    private func connect(_ worker: Address) {
        let (number, old) = state.withLock { state in
            state.lastLink += 1
            let old = state.links[worker.id]
            state.links[worker.id] = Link(number: state.lastLink, address: worker)
            return (state.lastLink, old)
        }
        if let old { close(old) }
        RelayClient.connect(host: worker.host, port: worker.port, on: eventLoop) { [weak self] message in
            self?.received(message, worker.id, number)
        } onClose: { [weak self] _ in
            self?.ended(worker.id, number, "its control connection has ended")
        }.whenComplete { [weak self] result in
            self?.connected(worker.id, number, result)
        }
    }

    private func connected(_ worker: String, _ number: UInt64, _ result: Result<NIOLoopBound<RelayClient>, any Error>) {
        switch result {
        case .success(let client):
            let isWanted = state.withLock { state in
                guard state.links[worker]?.number == number else { return false }
                state.links[worker]?.client = client
                return true
            }
            guard isWanted, let ticket = try? ticket() else { return client.value.close() }
            client.value.send(.watch(ticket: ticket))
        case .failure:
            ended(worker, number, "it cannot be reached")
        }
    }

    private func received(_ message: MessageToRelay, _ worker: String, _ number: UInt64) {
        switch message {
        case .beat:
            let now = Int64(NIODeadline.now().uptimeNanoseconds)
            state.withLock { state in
                if state.links[worker]?.number == number { state.vigil.heard(worker, now: now) }
            }
        case .adopt(let adoption):
            let address = state.withLock { $0.links[worker]?.address }
            if let address { adopt?(adoption, address) }
        case .refused(let code, let reason):
            logger.error("worker refuses to be watched", metadata: ["worker": "\(worker)", "code": "\(code)", "reason": "\(reason)"])
        default: break
        }
    }

    private func ended(_ worker: String, _ number: UInt64, _ reason: String) {
        let isDead = state.withLock { state in
            guard state.links[worker]?.number == number else { return false }
            state.links[worker] = nil
            return state.vigil.ended(worker)
        }
        if isDead { tell(worker, because: reason) }
    }

    private func close(_ link: Link) {
        guard let client = link.client else { return }
        eventLoop.execute { client.value.close() }
    }
}

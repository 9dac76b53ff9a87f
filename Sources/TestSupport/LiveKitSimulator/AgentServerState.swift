import Foundation
import LiveKitDispatch
import SwiftProtobuf

/// The part of a LiveKit server that agent workers talk to, without I/O: what it offers to whom, and what it has to say about their messages.
struct AgentServerState {
    enum Action {
        case send(AgentWireServerMessage, connection: Int)
        /// Without a close frame, as the server ends a connection that it does not understand.
        case abort(connection: Int)
        case schedule(Timer, after: Duration)
    }

    enum Timer: Sendable, Hashable {
        case registration(connection: Int)
        case answer(job: String, worker: String)
        case request(job: String)
    }

    var configuration: AgentServerConfiguration
    var snapshot = AgentServerSnapshot()
    var actions: [Action] = []
    var unregistered: Set<Int> = []
    private var lastNumber = 0
    /// A server that restarts does not give out ids again.
    private let run = String(UInt32.random(in: .min ... .max), radix: 36)
    var rooms: [String: AgentJob.Room] = [:]
    /// Assigned and not yet told.
    var withheld: [String] = []
    /// Offered a second time.
    var repeated: Set<String> = []

    init(_ configuration: AgentServerConfiguration) { self.configuration = configuration }

    mutating func takeActions() -> [Action] {
        defer { actions = [] }
        return actions
    }

    // MARK: Connections

    mutating func refused() { snapshot.refusals += 1 }

    mutating func connected(_ connection: Int) {
        snapshot.attempts += 1
        unregistered.insert(connection)
        actions.append(.schedule(.registration(connection: connection), after: configuration.registerWithin))
    }

    mutating func received(_ message: AgentWireWorkerMessage, on connection: Int) {
        guard let worker = snapshot.workers.first(where: { $0.connection == connection }) else {
            return receivedEarly(message, connection)
        }
        switch message.message {
        case .register: fail(connection, "a worker registers twice")
        case .availability(let answer): answered(answer, worker.id)
        case .updateWorker(let update): updated(update, worker.id)
        case .updateJob(let update): updated(update, worker.id)
        case .ping(let ping):
            pong(ping, connection)
            change(worker.id) { $0.pings += 1 }
        case .migrateJob(let request):
            if request.jobIds.isEmpty { violation("a worker migrates no jobs at all") }
            for id in request.jobIds where snapshot.job(id) == nil { violation("a worker migrates the unknown job \(id)") }
            change(worker.id) { $0.migrated += request.jobIds }
        case nil: fail(connection, "a worker sends a message of an unknown kind")
        }
    }

    mutating func undecodable(_ why: String, on connection: Int) { fail(connection, "a worker sends what is no message: \(why)") }

    mutating func closed(_ connection: Int) {
        unregistered.remove(connection)
        guard let worker = snapshot.workers.first(where: { $0.connection == connection }) else { return }
        snapshot.workers.removeAll { $0.id == worker.id }
        for job in snapshot.jobs where job.worker == worker.id && !job.isOver { change(job: job.id) { $0.isForgotten = true } }
        for job in snapshot.jobs where job.status == .offered && job.offeredTo.last == worker.id { offer(job.id) }
    }

    private mutating func receivedEarly(_ message: AgentWireWorkerMessage, _ connection: Int) {
        guard unregistered.contains(connection) else { return }
        switch message.message {
        case .register(let request): register(request, connection)
        case .ping(let ping): pong(ping, connection)
        default: fail(connection, "a worker says something before it has registered")
        }
    }

    private mutating func register(_ request: AgentWireRegisterWorkerRequest, _ connection: Int) {
        if case .UNRECOGNIZED(let type) = request.type { return fail(connection, "a worker registers for the unknown job type \(type)") }
        if request.type != .jtRoom { violation("a worker registers for jobs of participants; the simulator has only those of rooms") }
        if request.version.isEmpty { violation("a worker does not say its version") }
        guard configuration.greeting == .registration else {
            if configuration.greeting == .pong { actions.append(.send(.with { $0.pong = .init() }, connection: connection)) }
            return
        }
        unregistered.remove(connection)
        snapshot.registrations += 1
        var worker = SimulatedWorker(id: makeID("AW_"), connection: connection)
        worker.agentName = request.agentName
        worker.version = request.version
        if request.hasAllowedPermissions { worker.permissions = .init(request.allowedPermissions) }
        snapshot.workers.append(worker)
        let reply = AgentWireServerMessage.with {
            $0.register.workerID = worker.id
            $0.register.serverInfo.version = configuration.version
            $0.register.serverInfo.protocol = 17
            $0.register.serverInfo.agentProtocol = 1
            $0.register.serverInfo.nodeID = "ND_simulated"
        }
        actions.append(.send(reply, connection: connection))
    }

    private mutating func updated(_ update: AgentWireUpdateWorkerStatus, _ worker: String) {
        if !update.hasStatus { violation("a worker reports no status") }
        if case .UNRECOGNIZED(let status) = update.status { violation("a worker reports the unknown status \(status)") }
        if !(0...1).contains(update.load) { violation("a worker reports a load of \(update.load)") }
        change(worker) {
            if update.hasStatus { $0.isFull = update.status == .wsFull }
            $0.load = update.load
            $0.jobCount = Int(update.jobCount)
            $0.updates += 1
        }
    }

    private mutating func pong(_ ping: AgentWireWorkerPing, _ connection: Int) {
        let reply = AgentWireServerMessage.with {
            $0.pong.lastTimestamp = ping.timestamp
            $0.pong.timestamp = Int64(Date().timeIntervalSince1970 * 1_000)
        }
        actions.append(.send(reply, connection: connection))
    }

    // MARK: Helpers

    mutating func makeID(_ prefix: String) -> String {
        lastNumber += 1
        return "\(prefix)\(run)simulated\(lastNumber)"
    }

    mutating func fail(_ connection: Int, _ why: String) {
        violation(why)
        unregistered.remove(connection)
        actions.append(.abort(connection: connection))
    }

    mutating func violation(_ text: String) { snapshot.violations.append(text) }

    mutating func change(_ worker: String, _ change: (inout SimulatedWorker) -> Void) {
        guard let index = snapshot.workers.firstIndex(where: { $0.id == worker }) else { return }
        change(&snapshot.workers[index])
    }

    mutating func change(job: String, _ change: (inout SimulatedJob) -> Void) {
        guard let index = snapshot.jobs.firstIndex(where: { $0.id == job }) else { return }
        change(&snapshot.jobs[index])
    }
}

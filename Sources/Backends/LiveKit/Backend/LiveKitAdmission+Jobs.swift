import BackendKit
import Cryptography
import Foundation
import LiveKitDispatch
import LiveKitProtocol
import Logging
import NIOPosix
import Synchronization

/// LiveKit's own dispatch of agents: we are a worker to it, and its jobs are sessions.
extension LiveKitAdmission {
    /// Between two tries of a connection a token is made anew.
    private static let tokenLifetime = Duration.seconds(300)
    private static let capacityInterval = Duration.milliseconds(200)

    func run(_ host: any AdmissionHost) async {
        guard !agents.agents.isEmpty else { return }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.watchCapacity(host) }
            for agent in agents.agents { group.addTask { await self.serve(agent, host) } }
        }
    }

    /// Lets every job that was accepted become a session; LiveKit would ask nobody else for it.
    func drain() async {
        let registrations = state.withLock { $0.registrations }
        await withTaskGroup(of: Void.self) { group in
            for registration in registrations { group.addTask { await registration.finish() } }
        }
    }

    /// Once for all registrations, which want to know it several times a second.
    private func watchCapacity(_ host: any AdmissionHost) async {
        while !Task.isCancelled {
            let measured = ContinuousClock.now
            let capacity = host.isDraining ? nil : await host.capacity()
            state.withLock { $0.capacity = capacity.map { DispatchCapacity(free: $0.free, total: $0.total, measured: measured) } }
            try? await Task.sleep(for: Self.capacityInterval)
        }
    }

    private func serve(_ agent: DispatchedAgents.Agent, _ host: any AdmissionHost) async {
        let sessions = JobSessions()
        do {
            let client = try AgentDispatchClient(
                server: credentials.url.webSocket, settings: AgentRegistrationSettings(agentName: agent.name),
                handlers: handlers(agent, host, sessions), on: MultiThreadedEventLoopGroup.singleton.next(), metrics: metrics, logger: logger)
            state.withLock { $0.registrations.append(client) }
            await withTaskGroup(of: Void.self) { group in
                group.addTask { try? await client.run() }
                group.addTask { for await end in sessions.ends { await client.jobEnded(end.job, error: end.problem) } }
                await group.next()
                group.cancelAll()
            }
        } catch {
            logger.error("agents cannot be dispatched by LiveKit", metadata: ["agent": "\(agent.name)", "error": "\(error)"])
        }
    }

    private func handlers(_ agent: DispatchedAgents.Agent, _ host: any AdmissionHost, _ sessions: JobSessions) -> AgentDispatchHandlers {
        let credentials = credentials
        return AgentDispatchHandlers(
            token: {
                var grant = LiveKitVideoGrant()
                grant.agent = true
                return try LiveKitAccessToken(identity: "parley", video: grant)
                    .signed(by: credentials, lifetime: Self.tokenLifetime, now: Int64(Date().timeIntervalSince1970 * 1_000))
            },
            capacity: { self.state.withLock { $0.capacity } },
            // A dispatcher that ends takes none, also before its registration has heard of that.
            offer: { _ in host.isDraining ? .refuse(isFinal: false) : .accept(AgentParticipant(name: agent.agent)) },
            begin: { try await self.begin($0, agent, host, sessions) },
            terminated: { await self.terminated($0, agent, host, sessions) })
    }

    private func begin(
        _ assignment: AgentAssignment, _ agent: DispatchedAgents.Agent, _ host: any AdmissionHost, _ sessions: JobSessions
    ) async throws {
        let job = assignment.job.id
        do {
            sessions.begins(job)
            let session = try await host.start(try DispatchedAgents.call(assignment, for: agent)) { sessions.ended(job, $0) }
            sessions.began(job, session)
            logger.info("dispatched", metadata: ["job": "\(job)", "room": "\(assignment.job.room.name)", "session": "\(session)"])
        } catch {
            sessions.failed(job)
            guard let refusal = error as? BackendRefusal else { throw error }
            throw AgentStartError(refusal.message, isFinal: refusal.code != .full && refusal.code != .unavailable)
        }
    }

    /// An agent whose dispatch was deleted is removed from the room by the server, which ends its session, unless it was on its way there. One that
    /// was driven out by its successor is of no concern.
    private func terminated(
        _ termination: AgentTermination, _ agent: DispatchedAgents.Agent, _ host: any AdmissionHost, _ sessions: JobSessions
    ) async {
        let job = termination.assignment.job
        logger.info("job terminated", metadata: ["job": "\(job.id)", "room": "\(job.room.name)"])
        guard termination.isEarly, let session = sessions.session(of: job.id) else { return }
        await host.end(session, of: agent.tenant, reason: "LiveKit has taken the dispatch back")
    }
}

/// The sessions of one registration's jobs, and how their ends find the connection that the jobs came by.
private final class JobSessions: Sendable {
    let ends: AsyncStream<(job: String, problem: String?)>
    private let toEnd: AsyncStream<(job: String, problem: String?)>.Continuation
    /// Empty while a session is being started. A session may end before whoever starts it hears of it.
    private let sessions = Mutex<[String: String]>([:])

    init() { (ends, toEnd) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(10_000)) }

    func begins(_ job: String) { sessions.withLock { $0[job] = "" } }
    func began(_ job: String, _ session: String) { sessions.withLock { if $0[job] != nil { $0[job] = session } } }
    func failed(_ job: String) { sessions.withLock { $0[job] = nil } }

    func ended(_ job: String, _ problem: String?) {
        sessions.withLock { $0[job] = nil }
        toEnd.yield((job, problem))
    }

    func session(of job: String) -> String? { sessions.withLock { $0[job] } }
}

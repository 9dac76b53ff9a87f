import BackendKit
import Cryptography
import Foundation
import LiveKitDispatch
import LiveKitProtocol
import Logging
import NIOPosix
import ServiceLifecycle

/// LiveKit's own dispatch of agents: we are a worker to it, and its jobs are sessions.
extension LiveKitAdmission {
    /// Between two tries of a connection a token is made anew.
    private static let tokenLifetime = Duration.seconds(300)

    func run(_ host: any AdmissionHost) async {
        await withTaskGroup(of: Void.self) { group in
            for agent in agents.agents { group.addTask { await self.serve(agent, host) } }
        }
    }

    private func serve(_ agent: DispatchedAgents.Agent, _ host: any AdmissionHost) async {
        let ended = JobEnds()
        do {
            let client = try AgentDispatchClient(
                server: credentials.url.webSocket, settings: AgentRegistrationSettings(agentName: agent.name),
                handlers: handlers(agent, host, ended), on: MultiThreadedEventLoopGroup.singleton.next(), metrics: metrics, logger: logger)
            await withTaskGroup(of: Void.self) { group in
                group.addTask { try? await client.run() }
                group.addTask { for await end in ended.stream { await client.jobEnded(end.job, error: end.problem) } }
                await group.next()
                group.cancelAll()
            }
        } catch {
            logger.error("agents cannot be dispatched by LiveKit", metadata: ["agent": "\(agent.name)", "error": "\(error)"])
        }
    }

    private func handlers(_ agent: DispatchedAgents.Agent, _ host: any AdmissionHost, _ ended: JobEnds) -> AgentDispatchHandlers {
        let credentials = credentials
        let logger = logger
        return AgentDispatchHandlers(
            token: {
                var grant = LiveKitVideoGrant()
                grant.agent = true
                return try LiveKitAccessToken(identity: "parley", video: grant)
                    .signed(by: credentials, lifetime: Self.tokenLifetime, now: Int64(Date().timeIntervalSince1970 * 1_000))
            },
            capacity: {
                guard !host.isDraining else { return DispatchCapacity(free: 0, total: 0) }
                let capacity = await host.capacity()
                return DispatchCapacity(free: capacity.free, total: capacity.total)
            },
            offer: { _ in .accept(AgentParticipant(name: agent.agent)) },
            begin: { assignment in
                let job = assignment.job.id
                do {
                    let session = try await host.start(DispatchedAgents.call(assignment, for: agent)) { problem in
                        ended.end(job, problem)
                    }
                    logger.info("dispatched", metadata: ["job": "\(job)", "room": "\(assignment.job.room.name)", "session": "\(session)"])
                } catch let refusal as BackendRefusal {
                    throw AgentStartError(refusal.message, isFinal: refusal.code != .full && refusal.code != .unavailable)
                }
            },
            terminated: { termination in
                // An agent whose dispatch was deleted is removed from the room by the server, which ends its session. One that was driven out by
                // its successor is of no concern.
                logger.info(
                    "job terminated", metadata: ["job": "\(termination.assignment.job.id)", "room": "\(termination.assignment.job.room.name)"])
            })
    }
}

/// Ends of jobs on their way to the connection that they came by.
private struct JobEnds: Sendable {
    let stream: AsyncStream<(job: String, problem: String?)>
    private let continuation: AsyncStream<(job: String, problem: String?)>.Continuation

    init() { (stream, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(10_000)) }

    func end(_ job: String, _ problem: String?) { continuation.yield((job, problem)) }
}

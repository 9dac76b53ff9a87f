package import LiveKitDispatch
package import NIOCore
package import NIOHTTP1
import SwiftProtobuf
import Synchronization
package import WebSocket

/// A simulated LiveKit server's `/agent`: plug `admit` and `makeHandler` into an upgrader, and dispatch agents. It checks every message of the
/// workers and writes down what a server would refuse.
package actor AgentServer {
    package static let path = "/agent"

    private struct Waiter {
        let id: UInt64
        let isMet: @Sendable (AgentServerSnapshot) -> Bool
        let continuation: CheckedContinuation<AgentServerSnapshot?, Never>
    }

    package nonisolated var unownedExecutor: UnownedSerialExecutor { eventLoop.executor.asUnownedSerialExecutor() }
    private nonisolated let eventLoop: any EventLoop
    private nonisolated let configuration: AgentServerConfiguration
    private nonisolated let lastConnection = Atomic(0)
    private var state: AgentServerState
    private var links: [Int: AgentServerLink] = [:]
    private var waiters: [Waiter] = []
    private var lastWaiter: UInt64 = 0
    /// Hears of every change of a job.
    private var told: (@Sendable (SimulatedJob) -> Void)?
    private var toldJobs: [String: SimulatedJob] = [:]

    package init(_ configuration: AgentServerConfiguration, on eventLoop: any EventLoop) {
        self.configuration = configuration
        self.eventLoop = eventLoop
        state = AgentServerState(configuration)
    }

    // MARK: Connections

    /// Lets a worker in, by its token.
    package nonisolated func admit(_ head: HTTPRequestHead) -> WebSocketDecision {
        let header = head.headers.first(name: "authorization") ?? ""
        let token = header.hasPrefix("Bearer ") ? String(header.dropFirst("Bearer ".count)) : nil
        guard let refusal = refusal(token: token) else { return .accept([:]) }
        return .refuse(status: 401, headers: ["content-type": "text/plain"], body: refusal)
    }

    /// What is answered with status 401 to a worker with this token; nil: it is let in.
    package nonisolated func refusal(token: String?) -> String? {
        guard let refusal = AgentServerTokens.refusal(token, configuration) else { return nil }
        enter { $0.state.refused() }
        return refusal
    }

    package nonisolated func makeHandler() -> any WebSocketHandler {
        AgentServerPeer(self, number: lastConnection.add(1, ordering: .relaxed).newValue)
    }

    nonisolated func opened(_ number: Int, _ link: AgentServerLink) {
        enter {
            $0.links[number] = link
            $0.state.connected(number)
        }
    }

    nonisolated func received(_ message: AgentWireWorkerMessage, _ number: Int) { enter { $0.state.received(message, on: number) } }
    nonisolated func undecodable(_ why: String, _ number: Int) { enter { $0.state.undecodable(why, on: number) } }

    nonisolated func closed(_ number: Int) {
        enter {
            $0.links[number] = nil
            $0.state.closed(number)
        }
    }

    /// Events are handled in the order in which a connection brings them.
    private nonisolated func enter(_ change: @escaping @Sendable (isolated AgentServer) -> Void) {
        eventLoop.execute {
            self.assumeIsolated {
                change($0)
                $0.settle()
            }
        }
    }

    private func settle() {
        for action in state.takeActions() {
            switch action {
            case .send(let message, let connection):
                if let bytes: [UInt8] = try? message.serializedBytes() { links[connection]?.send(ByteBuffer(bytes: bytes)) }
            case .abort(let connection): links[connection]?.abort()
            case .schedule(let timer, let delay):
                eventLoop.scheduleTask(in: TimeAmount(delay)) { self.assumeIsolated { $0.fire(timer) } }
            }
        }
        let snapshot = state.snapshot
        if let told { tell(told, snapshot.jobs) }
        for waiter in waiters where waiter.isMet(snapshot) { waiter.continuation.resume(returning: snapshot) }
        waiters.removeAll { $0.isMet(snapshot) }
    }

    private func tell(_ told: @Sendable (SimulatedJob) -> Void, _ jobs: [SimulatedJob]) {
        for job in jobs where toldJobs[job.id] != job {
            toldJobs[job.id] = job
            told(job)
        }
    }

    private func fire(_ timer: AgentServerState.Timer) {
        state.timer(timer)
        settle()
    }

    // MARK: What happens at the server

    /// Changes the behaviour from now on; key and secret stay.
    package func configure(_ change: (inout AgentServerConfiguration) -> Void) { change(&state.configuration) }

    /// Makes a room; an agent without a name is asked for it. Returns the id of the job, if there is such an agent.
    @discardableResult
    package func createRoom(_ name: String, metadata: String = "") -> String? {
        defer { settle() }
        return state.createRoom(name, metadata: metadata)
    }

    /// Asks for an agent by its name. Returns the id of the job; the snapshot has what becomes of it.
    package func dispatch(agentName: String, room: String, metadata: String = "", attributes: [String: String] = [:]) -> String {
        defer { settle() }
        return state.dispatch(agentName: agentName, room: room, metadata: metadata, attributes: attributes)
    }

    // For whoever keeps rooms and dispatches; from any thread.

    /// Offers the job of a dispatch. One for any agent is nobody's where all have names.
    package nonisolated func offer(
        dispatch: String, agentName: String, room: AgentJob.Room, metadata: String = "", attributes: [String: String] = [:]
    ) {
        enter {
            guard !agentName.isEmpty || $0.state.hasUnnamedWorker else { return }
            _ = $0.state.launch(dispatch: dispatch, agentName: agentName, room: room, metadata: metadata, attributes: attributes)
        }
    }

    /// A dispatch was deleted: its jobs are over.
    nonisolated func end(dispatch: String) { enter { $0.state.end(dispatch: dispatch) } }

    /// Somebody has left a room: the job that it was there for is over.
    nonisolated func left(_ identity: String, room: String) { enter { $0.state.left(identity, room: room) } }

    /// `told` hears of every change of a job from now on, on the server's event loop.
    nonisolated func onJob(_ told: @escaping @Sendable (SimulatedJob) -> Void) { enter { $0.told = told } }

    /// Ends a job; `agentLeft`: because its participant has left the room.
    package func terminate(_ job: String, agentLeft: Bool = false) {
        state.terminate(job, agentLeft: agentLeft)
        settle()
    }

    /// Assigns what `holdsAssignments` has held back.
    package func releaseAssignments() {
        state.releaseAssignments()
        settle()
    }

    /// Offers a job once more to the worker that has it, which no real server does.
    package func offerAgain(_ job: String) {
        state.offerAgain(job)
        settle()
    }

    /// Assigns a job that was never offered. Returns its id; nil without a worker of that name.
    package func assignUnasked(agentName: String, room: String) -> String? {
        defer { settle() }
        return state.assignUnasked(agentName: agentName, room: room)
    }

    /// Sends all workers bytes that are no message.
    package func sendGarbage(_ bytes: [UInt8] = [0xff, 0xff, 0xff]) {
        for link in links.values { link.send(ByteBuffer(bytes: bytes)) }
    }

    /// Ends all connections as a crash would.
    package func drop() {
        for link in links.values { link.abort() }
    }

    // MARK: What tests look at

    package var snapshot: AgentServerSnapshot { state.snapshot }

    /// Waits until the condition is met. Nil when it is not within the time.
    package func wait(
        within limit: Duration = .seconds(20), until isMet: @escaping @Sendable (AgentServerSnapshot) -> Bool
    ) async -> AgentServerSnapshot? {
        if isMet(state.snapshot) { return state.snapshot }
        lastWaiter += 1
        let id = lastWaiter
        let timer = eventLoop.scheduleTask(in: TimeAmount(limit)) { self.assumeIsolated { $0.giveUp(id) } }
        defer { timer.cancel() }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                if Task.isCancelled { return continuation.resume(returning: nil) }
                waiters.append(Waiter(id: id, isMet: isMet, continuation: continuation))
            }
        } onCancel: {
            eventLoop.execute { self.assumeIsolated { $0.giveUp(id) } }
        }
    }

    private func giveUp(_ id: UInt64) {
        guard let index = waiters.firstIndex(where: { $0.id == id }) else { return }
        waiters.remove(at: index).continuation.resume(returning: nil)
    }
}

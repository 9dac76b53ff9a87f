import Cryptography
package import Logging
package import NIOCore
package import Resilience
import ServiceLifecycle
import SwiftProtobuf
import Synchronization
package import Telemetry
package import WebSocket

/// Registers at a LiveKit server as a worker for one agent name, takes jobs as far as there is room, and has their sessions started.
///
/// `AgentRegistration` decides; this connects it to the server and to its owner. The event loop is the actor's executor. A server that is away
/// is tried for ever. A graceful shutdown refuses new jobs, waits until the sessions of accepted ones are started, and leaves; what runs goes on.
package actor AgentDispatchClient: Service {
    private enum Work: Sendable {
        case ask(AgentJob)
        case begin(AgentAssignment, by: ContinuousClock.Instant)
        case tell(AgentTermination)
    }

    /// The names of what is counted, and what may become of a job.
    package static let jobsMetric = DispatchMetrics.jobs
    package static let reconnectsMetric = DispatchMetrics.reconnects
    package static let registeredMetric = DispatchMetrics.known
    package static let outcomes = DispatchOutcome.ofJobs.map(\.rawValue)

    private static let tick = Duration.milliseconds(100)
    private static let capacityInterval = Duration.milliseconds(250)
    /// The server's own limit.
    private static let maximumMessageBytes = 2 << 20

    package nonisolated var unownedExecutor: UnownedSerialExecutor { eventLoop.executor.asUnownedSerialExecutor() }
    private nonisolated let eventLoop: any EventLoop
    private let endpoint: WebSocketURL
    private let handlers: AgentDispatchHandlers
    private let client: WebSocketClient
    private let clock: any MonotonicClock
    private let metrics: DispatchMetrics
    private let logger: Logger

    private var registration: AgentRegistration
    private var isHandling = false
    private var events: [AgentRegistration.Event] = []
    private var socket: WebSocket?
    /// Tells the events of this connection from those of the last one.
    private var connection = 0
    /// That connection's.
    private var token = Secret("")
    private let work: AsyncStream<Work>
    private let workToDo: AsyncStream<Work>.Continuation

    /// - Parameters:
    ///   - server: `ws://`, `wss://`, `http://` or `https://`, with a path where the server lies behind a proxy
    ///   - eventLoop: of a `MultiThreadedEventLoopGroup`
    /// - Throws: `WebSocketError` with code `invalidURL`
    package init(
        server: String, settings: AgentRegistrationSettings, handlers: AgentDispatchHandlers, client: WebSocketClient = WebSocketClient(),
        on eventLoop: any EventLoop, clock: any MonotonicClock = ContinuousClock(), metrics: MetricsRegistry, logger: Logger
    ) throws(WebSocketError) {
        let base = try WebSocketURL(server)
        let path = base.target.hasSuffix("/") ? String(base.target.dropLast()) : base.target
        guard !path.contains("?") else { throw WebSocketError(.invalidURL, "the URL of a LiveKit server has no query") }
        endpoint = base.replacing(target: path + "/agent?protocol=1")
        self.handlers = handlers
        self.client = client
        self.eventLoop = eventLoop
        self.clock = clock
        self.metrics = DispatchMetrics(metrics, agentName: settings.agentName)
        var logger = logger
        logger[metadataKey: "agent"] = "\(settings.agentName)"
        self.logger = logger
        registration = AgentRegistration(
            settings, url: base.replacing(target: path).description, now: clock.now, seed: .random(in: .min ... .max))
        // What waits in it is bounded by the jobs that the registration admits.
        (work, workToDo) = AsyncStream.makeStream()
    }

    /// Whether the server knows us.
    package var isRegistered: Bool { registration.isRegistered }

    /// No more jobs; those that were accepted are started.
    package func drain() { handle(.drain) }

    /// As `drain`; returns when every job that was accepted is started or has failed, for which each has a deadline.
    package func finish() async {
        drain()
        while !registration.isSettled, !Task.isCancelled { try? await clock.sleep(for: Self.tick) }
    }

    /// The session of a job is over; with an error, if that was why. Harmless for a job that is not known.
    package func jobEnded(_ id: String, error: String? = nil) { handle(.ended(id, error: error)) }

    /// Until a graceful shutdown, or cancelled. Runs once.
    package func run() async throws {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.doWork() }
            group.addTask { await self.watchCapacity() }
            group.addTask { await self.keepTime() }
            group.addTask { await self.awaitShutdown() }
            await group.next()
            group.cancelAll()
        }
        handle(.stop)
        metrics.registered.set(0)
    }

    // MARK: Time

    private func keepTime() async {
        while !Task.isCancelled {
            handle(.tick)
            try? await clock.sleep(for: Self.tick)
        }
    }

    private func watchCapacity() async {
        while !Task.isCancelled {
            handle(await handlers.capacity().map { .capacity($0) } ?? .drain)
            try? await clock.sleep(for: registration.isHolding ? Self.tick : Self.capacityInterval)
        }
    }

    private func awaitShutdown() async {
        if (try? await gracefulShutdown()) != nil { await finish() }
    }

    // MARK: Work of the owner

    private func doWork() async {
        await withDiscardingTaskGroup { group in
            for await item in work {
                group.addTask { await self.perform(item) }
            }
        }
    }

    private func perform(_ item: Work) async {
        switch item {
        case .ask(let job): handle(.answered(job.id, await ask(job)))
        case .begin(let assignment, let deadline): handle(await begin(assignment, by: deadline))
        case .tell(let termination): await handlers.terminated(termination)
        }
    }

    private func ask(_ job: AgentJob) async -> JobAnswer {
        let offer = handlers.offer
        let answer = try? await withDeadline("the answer to an offer", within: registration.settings.answerWithin, clock: clock) {
            await offer(job)
        }
        return answer ?? .refuse(isFinal: false)
    }

    private func begin(_ assignment: AgentAssignment, by instant: ContinuousClock.Instant) async -> AgentRegistration.Event {
        let begin = handlers.begin
        let hasBegun = Atomic(false)
        let job = assignment.job.id
        do {
            try await withDeadline("the start of the session", within: max(.zero, instant - clock.now), clock: clock) {
                try await begin(assignment)
                hasBegun.store(true, ordering: .relaxed)
            }
            return .started(job)
        } catch {
            // It may have begun in the moment in which its time was over.
            if hasBegun.load(ordering: .relaxed) { return .started(job) }
            return .startFailed(job, startError(error))
        }
    }

    private func startError(_ error: any Error) -> AgentStartError {
        if let error = error as? AgentStartError { return error }
        guard (error as? ResilienceError)?.code == .deadlineExceeded else { return AgentStartError("\(error)", isFinal: false) }
        return AgentStartError(
            "no media worker has taken the session within \(registration.settings.startWithin): all are full, or none can be reached", isFinal: false)
    }

    // MARK: Events and actions

    /// One event after the other: what an action leads to is handled when all actions before it are done.
    private func handle(_ event: AgentRegistration.Event) {
        events.append(event)
        guard !isHandling else { return }
        isHandling = true
        while !events.isEmpty {
            let wasRegistered = registration.isRegistered
            for action in registration.handle(events.removeFirst(), now: clock.now) { perform(action) }
            if wasRegistered != registration.isRegistered { metrics.registered.set(registration.isRegistered ? 1 : 0) }
        }
        isHandling = false
    }

    private func perform(_ action: AgentRegistration.Action) {
        switch action {
        case .connect: connect()
        case .send(let message): send(message)
        case .close(let reason): socket?.close(.normal, reason: reason)
        case .ask(let job): workToDo.yield(.ask(job))
        case .begin(let assignment, let deadline): workToDo.yield(.begin(assignment, by: deadline))
        case .tell(let termination): workToDo.yield(.tell(termination))
        case .count(let outcome): metrics.count(outcome)
        case .log(let level, let text, let job):
            logger.log(level: level, "\(text)", metadata: job.map { ["job": "\($0)"] } ?? [:])
        }
    }

    // MARK: Connection

    private func connect() {
        connection += 1
        let number = connection
        do { token = Secret(try handlers.token()) } catch { return handle(.closed("no token for it can be made: \(error)")) }
        let request = WebSocketRequest(
            endpoint, headers: [(name: "Authorization", value: "Bearer \(token.revealed)")], connectDeadline: .seconds(10))
        let handler = AgentSocket { [weak self] event in
            self?.assumeIsolated { $0.heard(event, on: number) }
        }
        socket = client.connect(
            request, configuration: WebSocketConfiguration(maximumMessageBytes: Self.maximumMessageBytes), on: eventLoop, handler: handler)
    }

    private func heard(_ event: AgentSocket.Event, on number: Int) {
        guard number == connection else { return }
        switch event {
        case .opened: handle(.opened)
        case .message(let message): handle(.received(message))
        case .undecodable(let why): handle(.undecodable(why))
        case .closed(let closure):
            socket = nil
            handle(.closed(explain(closure)))
        }
    }

    private func send(_ message: AgentWireWorkerMessage) {
        guard let bytes: [UInt8] = try? message.serializedBytes() else { return }
        let isSent = socket?.send(binaryCapacity: bytes.count) { $0.writeBytes(bytes) } ?? false
        if !isSent { socket?.close(.goingAway, reason: "the server does not read") }
    }

    private func explain(_ closure: WebSocketClosure) -> String {
        guard let error = closure.error else {
            return closure.isLocal ? closure.reason : "the server closed it (\(closure.code.rawValue) \(closure.reason))"
        }
        guard let refusal = error.refusal else { return error.description }
        let hint =
            switch refusal.status {
            case 401: "; check that LIVEKIT_API_KEY and LIVEKIT_API_SECRET are those of this server, and its clock"
            case 404: "; check that LIVEKIT_URL is that of a LiveKit server"
            default: ""
            }
        // A server repeats the token that it refuses.
        let body = refusal.body.replacing(token.revealed, with: "TOKEN").prefix(200)
        return "\(error.message), '\(body)'\(hint)"
    }
}

extension WebSocketURL {
    fileprivate func replacing(target: String) -> WebSocketURL {
        var result = self
        result.target = target
        return result
    }
}

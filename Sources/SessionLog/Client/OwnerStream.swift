import Foundation
import GRPCCore
package import Logging
package import NIOCore
import Resilience
import SwiftProtobuf
import Synchronization

/// A worker's stream to the session store: what its sessions append, one renewal for all of them, and commands the other way.
///
/// When the stream breaks, everything that was not answered goes out again on the next, to the next replica. Call `run()` once; sessions may be
/// added before.
package final class OwnerStream: Sendable {
    /// Who the worker is.
    package struct Worker: Sendable, Hashable {
        package var id: String
        /// Where it takes relay links.
        package var address: String
        package var version: String

        package init(id: String, address: String, version: String) {
            self.id = id
            self.address = address
            self.version = version
        }
    }

    private struct State {
        var sessions: [String: OwnedSession] = [:]
        var dirty: Set<String> = []
        var later: Set<String> = []
        var answers: [StoreCommandAnswer] = []
        var renewal = RenewalMachine()
        var renewed: [UInt64: SentRenewal] = [:]
        var pendingRenewal: UInt64?
        var wakeUp: AsyncStream<Void>.Continuation?
        var isConnected = false
    }

    private struct SentRenewal {
        let at: Int64
        /// Fences as they were in it, since a session that is lost may have been claimed again meanwhile.
        let fences: [String: UInt64]
    }

    private let client: StoreClient
    private let worker: Worker
    private let load: @Sendable () -> [String: Double]
    private let logger: Logger
    private let state = Mutex(State())

    /// - Parameter load: what the worker's heartbeat says, read once a second
    package init(
        client: StoreClient, worker: Worker, logger: Logger, load: @escaping @Sendable () -> [String: Double] = { [:] }
    ) {
        self.client = client
        self.worker = worker
        self.logger = logger
        self.load = load
    }

    /// Whether the store can be reached and reached Redis when it was last asked: without it, tools with side effects do not run.
    package var isAvailable: Bool { state.withLock { $0.isConnected && $0.renewal.isRedisAvailable } }
    /// Sessions that this worker owns or whose last events are still on their way.
    package var sessionCount: Int { state.withLock { $0.sessions.values.count { !$0.isOver } } }

    /// Takes over the log of a session that `claim` made ours.
    ///
    /// - Parameter notify: told on `eventLoop` when the session is lost or a command comes
    package func own(
        tenant: String, claim: StoreClaimReply, eventLoop: any EventLoop,
        notify: @escaping @Sendable (OwnedSession.Notice) -> Void
    ) -> OwnedSession {
        let outbox = SessionOutbox(
            fence: claim.fence, nextSequence: max(1, claim.header.nextSequence), loaded: Self.tail(of: claim),
            now: OwnedSession.now)
        let session = OwnedSession(
            tenant: tenant, session: claim.header.session, redaction: Self.redaction(of: claim), outbox: outbox, eventLoop: eventLoop, notify: notify
        ) { [weak self] session, later in self?.wake(session, later: later) }
        state.withLock { $0.sessions[session.session] = session }
        return session
    }

    /// As the session was opened: the first event of its log.
    private static func redaction(of claim: StoreClaimReply) -> String {
        claim.events.first.flatMap { try? Event(stored: $0) }?.opened.redaction ?? ""
    }

    /// Says what became of a command that is not in the log: that it was refused, for example.
    package func answer(session: String, command: String, outcome: String, detail: String = "") {
        state.withLock { state in
            state.answers.append(
                .with {
                    $0.session = session
                    $0.command = command
                    $0.outcome = outcome
                    $0.detail = detail
                })
            state.wakeUp?.yield()
        }
    }

    /// Serves until the task is cancelled. Whoever ends a worker closes its sessions first and waits for `sessionCount` to be 0.
    package func run() async {
        let backoff = Backoff(initial: .milliseconds(50), maximum: .seconds(1))
        var random = SystemRandomNumberGenerator()
        var failures = 0
        while !Task.isCancelled {
            let replica = client.current
            do {
                try await serve(replica.client)
            } catch {
                if Task.isCancelled { return }
                logger.info(
                    "stream to the session store broke",
                    metadata: ["store": "\(client.addresses[replica.index])", "error": "\(error)"])
            }
            let worked = state.withLock { state in
                defer { state.isConnected = false }
                return state.isConnected
            }
            failures = worked ? 0 : failures + 1
            client.moveOn(from: replica.index)
            try? await Task.sleep(for: backoff.delay(retry: failures, using: &random))
        }
    }

    /// The end of a claimed log that may have to be repeated: contiguous up to the next sequence, at most 256 events.
    private static func tail(of claim: StoreClaimReply) -> [Data] {
        var expected = claim.header.nextSequence
        var tail: [Data] = []
        for bytes in claim.events.suffix(256).reversed() {
            guard let event = try? Event(stored: bytes), event.sequence + 1 == expected else { break }
            tail.append(bytes)
            expected = event.sequence
        }
        return tail.reversed()
    }

    // MARK: One stream

    private func serve(_ replica: GRPCClient<StoreClient.Transport>) async throws {
        let (wakeUps, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        begin(continuation)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await StoreSessionStore.Client(wrapping: replica).own(
                    requestProducer: { writer in try await self.send(wakeUps, to: writer) },
                    onResponse: { response in for try await reply in response.messages { self.receive(reply) } })
            }
            group.addTask { try await self.keepTime() }
            // Whichever ends first ends the stream.
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    private func begin(_ continuation: AsyncStream<Void>.Continuation) {
        let sessions = state.withLock { state in
            state.wakeUp = continuation
            state.renewal.connected()
            state.renewed = [:]
            state.pendingRenewal = nil
            state.dirty = Set(state.sessions.keys)
            return Array(state.sessions.values)
        }
        for session in sessions { session.streamBroke() }
        continuation.yield()
    }

    private func keepTime() async throws {
        while true {
            switch state.withLock({ $0.renewal.tick(now: OwnedSession.now) }) {
            case .renew(let id):
                state.withLock { $0.pendingRenewal = id }
            case .reconnect:
                throw SessionLogError(.timeout, message: "The session store did not answer a renewal in time.")
            case nil:
                break
            }
            state.withLock { state in
                state.dirty.formUnion(state.later)
                state.later = []
                state.wakeUp?.yield()
            }
            try await Task.sleep(for: .milliseconds(250))
        }
    }

    private func send(_ wakeUps: AsyncStream<Void>, to writer: RPCWriter<StoreOwnerMessage>) async throws {
        try await writer.write(
            .with {
                $0.hello.worker = worker.id
                $0.hello.address = worker.address
                $0.hello.version = worker.version
            })
        for await _ in wakeUps {
            let messages = takeMessages()
            if !messages.isEmpty { try await writer.write(contentsOf: messages) }
            // What is appended within the next millisecond goes together: a worker has a hundred sessions and one stream.
            try await Task.sleep(for: .milliseconds(1))
        }
    }

    private func takeMessages() -> [StoreOwnerMessage] {
        let (dirty, answers, renewal) = state.withLock { state in
            defer {
                state.dirty = []
                state.answers = []
            }
            let renewal = takeRenewal(&state)
            let dirty = renewal == nil ? state.dirty.compactMap { state.sessions[$0] } : Array(state.sessions.values)
            return (dirty, state.answers, renewal)
        }
        let appends = dirty.flatMap(appends(of:))
        var messages: [StoreOwnerMessage] = []
        if !appends.isEmpty { messages.append(.with { $0.appends.appends = appends }) }
        messages += answers.map { answer in .with { $0.commandAnswer = answer } }
        if let renewal {
            messages.append(.with { $0.renew = renewal })
            messages.append(
                .with {
                    $0.beat.id = renewal.id
                    $0.beat.load = load()
                })
        }
        return messages
    }

    private func takeRenewal(_ state: inout State) -> StoreRenew? {
        guard let id = state.pendingRenewal else { return nil }
        state.pendingRenewal = nil
        let held = state.sessions.values.map { session in
            StoreHeld.with {
                $0.tenant = session.tenant
                $0.session = session.session
                $0.fence = session.fence
                $0.nextSequence = session.storedNext
            }
        }
        state.renewed[id] = SentRenewal(
            at: OwnedSession.now, fences: Dictionary(held.map { ($0.session, $0.fence) }) { first, _ in first })
        return .with {
            $0.id = id
            $0.sessions = held
        }
    }

    private func appends(of session: OwnedSession) -> [StoreAppend] {
        var appends: [StoreAppend] = []
        while let message = session.takeUnsent() {
            appends.append(
                .with {
                    $0.tenant = session.tenant
                    $0.session = session.session
                    $0.fence = session.fence
                    $0.firstSequence = message.firstSequence
                    $0.events = message.events
                    $0.redaction = session.redaction
                })
        }
        return appends
    }

    // MARK: Answers

    private func receive(_ reply: StoreOwnerReply) {
        state.withLock { $0.renewal.heard(now: OwnedSession.now) }
        switch reply.body {
        case .appended(let answer): take(answer)
        case .appendedAll(let answers): for answer in answers.appended { take(answer) }
        case .renewed(let answer): take(answer)
        case .lost(let lost): session(lost.session, fence: lost.fence)?.told(lost.reason)
        case .command(let command): state.withLock { $0.sessions[command.session] }?.deliver(command)
        case .beaten, nil: break
        }
    }

    private func take(_ answer: StoreAppended) {
        session(answer.session, fence: answer.fence)?.answered(answer)
    }

    private func take(_ answer: StoreRenewed) {
        let (sent, sessions) = state.withLock { state in
            state.isConnected = true
            state.renewal.answered(id: answer.id, available: answer.available)
            return (state.renewed.removeValue(forKey: answer.id), state.sessions)
        }
        guard let sent, answer.available else { return }
        let lost = Set(answer.lost)
        for (name, fence) in sent.fences {
            guard let session = sessions[name], session.fence == fence else { continue }
            if lost.contains(name) {
                session.told("the store has given the session to another owner or closed it")
            }
            // Where the store has lost events, it said so before.
            session.confirmed(at: sent.at)
        }
    }

    private func session(_ name: String, fence: UInt64) -> OwnedSession? {
        state.withLock { $0.sessions[name] }.flatMap { $0.fence == fence ? $0 : nil }
    }

    private func wake(_ session: OwnedSession, later: Bool) {
        let isReleased = session.isReleased
        state.withLock { state in
            guard state.sessions[session.session] === session else { return }
            if isReleased {
                state.sessions[session.session] = nil
            } else if later {
                state.later.insert(session.session)
            } else if state.dirty.insert(session.session).inserted {
                state.wakeUp?.yield()
            }
        }
    }
}

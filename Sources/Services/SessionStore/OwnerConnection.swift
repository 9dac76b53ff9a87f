import GRPCCore
import RedisClient
import SessionLog
import SwiftProtobuf
import Synchronization
import Telemetry

/// One worker's stream: its appends and renewals in, answers, losses and commands out.
final class OwnerConnection: Sendable {
    struct Parts: Sendable {
        let directory: SessionDirectory
        let coordinator: AppendCoordinator
        let desk: CommandDesk
        let tail: StreamTail
        let stop: StopSignal
    }

    /// What takes a round trip of its own.
    private struct Question: Sendable {
        let message: StoreOwnerMessage
        let worker: StoreHello
    }

    private struct State {
        var appended: [StoreAppended] = []
        var replies: [StoreOwnerReply] = []
        var renewals: UInt64 = 0
        var isOverflowing = false
    }

    /// Sessions in one script call: keeps Redis responsive for others.
    private static let renewalChunk = 200
    /// Every so many renewals the keys' life is prolonged; it is far longer than that takes.
    private static let prolongEvery: UInt64 = 30
    /// Answers that may wait for a worker to read them.
    private static let answerLimit = 50_000
    /// How far back an inbox is read when a worker connects: what came while it was connecting elsewhere.
    private static let inboxMilliseconds: Int64 = 60_000

    private let parts: Parts
    private let intake: EventIntake
    private let state = Mutex(State())
    private let (wakeUps, wakeUp) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))

    init(parts: Parts) {
        self.parts = parts
        intake = EventIntake(settings: parts.directory.settings)
    }

    /// Serves until the worker ends the stream, either side fails, or the store stops.
    func serve(
        _ messages: RPCAsyncSequence<StoreOwnerMessage, any Error>, to writer: RPCWriter<StoreOwnerReply>
    ) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            let (greetings, greeting) = AsyncStream.makeStream(
                of: StoreHello.self, bufferingPolicy: .bufferingOldest(1))
            let (questions, question) = AsyncStream.makeStream(
                of: Question.self, bufferingPolicy: .bufferingNewest(64))
            group.addTask { try await self.read(messages, greeting, question) }
            // Renewals wait for Redis; appends behind them must not. Of too many the oldest are dropped: the next renewal
            // says the same.
            group.addTask {
                for await question in questions { await self.take(question.message, question.worker) }
            }
            group.addTask { try await self.write(to: writer) }
            group.addTask { for await hello in greetings { await self.deliverCommands(to: hello.worker) } }
            group.addTask { try await self.parts.stop.wait() }
            // Whichever ends first ends the stream.
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    /// The stream has ended: whoever moves sessions need not wait until the heartbeat lapses. A worker that lives beats again on its next stream.
    private func forget(_ worker: String) async {
        _ = try? await parts.directory.pipeline([RedisCommand("DEL", .string(RedisKeys.heartbeat(worker: worker)))])
    }

    private func read(
        _ messages: RPCAsyncSequence<StoreOwnerMessage, any Error>, _ greeting: AsyncStream<StoreHello>.Continuation,
        _ question: AsyncStream<Question>.Continuation
    ) async throws {
        var worker: StoreHello?
        defer {
            // The stream's own tasks are cancelled by then.
            if let id = worker?.worker { Task { await forget(id) } }
        }
        for try await message in messages {
            if let worker {
                if !takeAppends(of: message, worker.worker) {
                    question.yield(Question(message: message, worker: worker))
                }
            } else if case .hello(let hello) = message.body, !hello.worker.isEmpty {
                worker = hello
                greeting.yield(hello)
            } else {
                throw StoreFailure.invalid("the first message of a worker's stream must be hello, with its id")
            }
        }
    }

    // MARK: In

    /// False: the message is something else.
    private func takeAppends(of message: StoreOwnerMessage, _ worker: String) -> Bool {
        switch message.body {
        case .append(let append): take(append, worker)
        case .appends(let appends): for append in appends.appends { take(append, worker) }
        case .hello, .renew, .beat, .commandAnswer, nil: return false
        }
        return true
    }

    private func take(_ message: StoreOwnerMessage, _ hello: StoreHello) async {
        switch message.body {
        case .renew(let renew): await take(renew, hello)
        case .beat(let beat): await take(beat, hello)
        case .commandAnswer(let answer): await parts.desk.answer(answer)
        case .append, .appends, .hello, nil: break
        }
    }

    private func take(_ append: StoreAppend, _ worker: String) {
        guard let prepared = intake.prepare(append, isShortOfMemory: parts.directory.condition.stopsTelemetry) else {
            return reply(
                .with {
                    $0.session = append.session
                    $0.fence = append.fence
                    $0.outcome = .gone
                })
        }
        parts.coordinator.submit(prepared, worker: worker) { [weak self] answer, _ in self?.reply(answer) }
    }

    private func take(_ renew: StoreRenew, _ hello: StoreHello) async {
        let count = state.withLock { state in
            state.renewals += 1
            return state.renewals
        }
        let (chunks, unknown) = chunks(of: renew.sessions)
        do {
            let lost = try await withThrowingTaskGroup(of: [String].self) { group in
                for held in chunks { group.addTask { try await self.renew(held, hello, count) } }
                return try await group.reduce(into: unknown) { $0 += $1 }
            }
            parts.directory.metrics.renewed.increment(by: renew.sessions.count - lost.count)
            parts.directory.metrics.lost.increment(by: lost.count)
            send(
                .with {
                    $0.renewed.id = renew.id
                    $0.renewed.lost = lost
                    $0.renewed.available = true
                    $0.renewed.leaseMs = parts.directory.settings.lease
                })
        } catch {
            send(
                .with {
                    $0.renewed.id = renew.id
                    $0.renewed.available = false
                })
        }
    }

    /// In chunks; and the names that are no session's.
    private func chunks(of sessions: [StoreHeld]) -> ([[(KnownSession, StoreHeld)]], unknown: [String]) {
        var known: [(KnownSession, StoreHeld)] = []
        var unknown: [String] = []
        for held in sessions {
            if let session = intake.session(held.session) {
                known.append((session, held))
            } else {
                unknown.append(held.session)
            }
        }
        let chunks = stride(from: 0, to: known.count, by: Self.renewalChunk).map {
            Array(known[$0..<min($0 + Self.renewalChunk, known.count)])
        }
        return (chunks, unknown)
    }

    /// Returns the sessions lost. Owners of logs that have lost events are told on the way: they have them and append them again.
    private func renew(
        _ held: [(KnownSession, StoreHeld)], _ hello: StoreHello, _ count: UInt64
    ) async throws -> [String] {
        let settings = parts.directory.settings
        var keys = [RedisKeys.leases]
        var arguments: [RedisArgument] = [
            .string(hello.worker), .string(hello.address), .integer(settings.lease), .integer(settings.life),
            .integer(settings.restorableAge),
        ]
        for (session, held) in held {
            // Spread over the renewals, so that they do not all fall on one.
            let prolongs = (count &+ held.fence) % Self.prolongEvery == 0
            keys += [session.header, session.log]
            arguments += [
                .string(held.session), .string(held.tenant), .integer(held.fence),
                .integer(held.nextSequence), prolongs ? "1" : "0",
            ]
        }
        let reply = try await parts.directory.run(StoreScripts.renew, keys: keys, arguments: arguments).array ?? []
        guard reply.count == 2 else { throw StoreFailure.unexpected }
        tellBehind(reply[1].array?.compactMap(\.integer) ?? [], held.map(\.1))
        return reply[0].array?.compactMap(\.string) ?? []
    }

    /// - Parameter pairs: place of the session in the renewal, counted from 1, and the next sequence that its log has
    private func tellBehind(_ pairs: [Int64], _ held: [StoreHeld]) {
        for index in stride(from: 0, to: pairs.count - 1, by: 2) {
            let place = Int(pairs[index]) - 1
            guard held.indices.contains(place) else { continue }
            reply(
                .with {
                    $0.session = held[place].session
                    $0.fence = held[place].fence
                    $0.outcome = .behind
                    $0.nextSequence = UInt64(clamping: pairs[index + 1])
                })
        }
    }

    private func take(_ beat: StoreBeat, _ hello: StoreHello) async {
        let key = RedisArgument.string(RedisKeys.heartbeat(worker: hello.worker))
        var fields: [RedisArgument] = ["address", .string(hello.address), "version", .string(hello.version)]
        for (name, value) in beat.load { fields += [.string("load." + name), .string("\(value)")] }
        let replies = try? await parts.directory.pipeline([
            RedisCommand([RedisArgument("HSET"), key] + fields), RedisCommand("PEXPIRE", key, "5000"),
        ])
        send(
            .with {
                $0.beaten.id = beat.id
                $0.beaten.redisAvailable = replies != nil
            })
    }

    // MARK: Out

    private func reply(_ answer: StoreAppended) {
        state.withLock { state in
            // A worker that reads nothing for so long is gone; its events are answered on its next stream.
            guard state.appended.count < Self.answerLimit else { return state.isOverflowing = true }
            state.appended.append(answer)
        }
        wakeUp.yield()
    }

    private func send(_ reply: StoreOwnerReply) {
        state.withLock { $0.replies.append(reply) }
        wakeUp.yield()
    }

    private func write(to writer: RPCWriter<StoreOwnerReply>) async throws {
        for await _ in wakeUps {
            guard !state.withLock({ $0.isOverflowing }) else { throw StoreFailure.slowWorker }
            let replies = takeReplies()
            if !replies.isEmpty { try await writer.write(contentsOf: replies) }
        }
    }

    private func takeReplies() -> [StoreOwnerReply] {
        state.withLock { state in
            defer {
                state.appended = []
                state.replies = []
            }
            guard !state.appended.isEmpty else { return state.replies }
            let answers = state.appended
            return [.with { $0.appendedAll.appended = answers }] + state.replies
        }
    }

    private func deliverCommands(to worker: String) async {
        var cursor: StreamEntry.ID?
        while !Task.isCancelled {
            if cursor == nil, let time = try? await parts.directory.time() {
                cursor = StreamEntry.ID(major: UInt64(clamping: time - Self.inboxMilliseconds), minor: 0)
            }
            if let start = cursor {
                for await entries in await parts.tail.entries(of: RedisKeys.inbox(worker: worker), after: start) {
                    for entry in entries { deliver(entry) }
                    cursor = entries.last?.id ?? cursor
                }
            }
            // The tail's connection broke, Redis is away, or the process ends.
            try? await Task.sleep(for: .milliseconds(100))
        }
    }

    private func deliver(_ entry: StreamEntry) {
        func text(_ name: String) -> String { entry.fields[name]?.string ?? "" }
        send(
            .with {
                $0.command.session = text("session")
                $0.command.command = text("command")
                $0.command.kind = text("kind")
                $0.command.payload = text("payload")
            })
    }
}

import GRPCCore
import RedisClient
import SessionLog
import SwiftProtobuf
import Telemetry

/// Brings commands to the owners of sessions: recorded first, delivered through the worker's inbox to whichever replica it is connected to,
/// delivered again while no answer comes (the session may have moved), answered when the owner has logged the command.
struct CommandDesk: Sendable {
    let directory: SessionDirectory
    let tail: StreamTail

    private static let redelivery = Duration.seconds(1)
    private static let inboxLength = 1000

    private enum Record {
        case new
        case waiting
        case answered(StoreCommandReply)
    }

    func command(_ request: StoreCommandRequest) async throws -> StoreCommandReply {
        guard !request.command.isEmpty, !request.kind.isEmpty else {
            throw StoreFailure.invalid("a command needs an id and a kind")
        }
        let session = try directory.id(request.session)
        switch try await record(request, session) {
        case .answered(let reply):
            return reply
        case .waiting:
            if let reply = try await logged(request, session, after: .start) { return reply }
            return try await waitForAnswer(request, session, existed: true)
        case .new:
            directory.metrics.commands.increment()
            return try await waitForAnswer(request, session, existed: false)
        }
    }

    /// What the owner said to a command that it did not log.
    func answer(_ answer: StoreCommandAnswer) async {
        guard let session = try? SessionID(answer.session) else { return }
        // Whoever waits asks again; an answer that Redis does not take is lost as if the owner had not given it.
        _ = try? await directory.run(
            StoreScripts.answerCommand, keys: [RedisKeys.command(session, answer.command)],
            arguments: [.string(answer.outcome), .string(answer.detail)])
    }

    private func record(_ request: StoreCommandRequest, _ session: SessionID) async throws -> Record {
        let reply = try await directory.run(
            StoreScripts.recordCommand,
            keys: [RedisKeys.session(session), RedisKeys.command(session, request.command)],
            arguments: [
                .string(request.tenant), .string(request.kind), .string(request.payload),
                .integer(directory.settings.life),
            ])
        let parts = reply.array ?? []
        switch parts.first?.string {
        case "new": return .new
        case "known" where parts.count == 4:
            guard let outcome = parts[2].string else { return .waiting }
            return .answered(Self.reply(outcome, parts[3].string ?? "", existed: true))
        case "gone": throw StoreFailure.notFound("session")
        default: throw StoreFailure.unexpected
        }
    }

    private func waitForAnswer(_ request: StoreCommandRequest, _ session: SessionID, existed: Bool) async throws
        -> StoreCommandReply
    {
        let limit = min(request.deadlineMs > 0 ? request.deadlineMs : 5000, 60_000)
        let reply = try await withThrowingTaskGroup(of: StoreCommandReply?.self) { group in
            group.addTask { try await watchLog(request, session, existed: existed) }
            group.addTask { try await deliver(request, session, existed: existed) }
            group.addTask {
                try await Task.sleep(for: .milliseconds(limit))
                return nil
            }
            defer { group.cancelAll() }
            return try await group.next() ?? nil
        }
        guard let reply else {
            throw RPCError(code: .deadlineExceeded, message: "the owner has not logged the command in \(limit) ms")
        }
        return reply
    }

    /// Delivers now and once a second; ends when the owner has answered beside the log.
    private func deliver(_ request: StoreCommandRequest, _ session: SessionID, existed: Bool) async throws
        -> StoreCommandReply?
    {
        while true {
            let owner = try await directory.header(of: session, tenant: request.tenant).owner
            if !owner.isEmpty { try await post(request, to: owner) }
            try await Task.sleep(for: Self.redelivery)
            if case .answered(let reply) = try await record(request, session) {
                return existed ? reply : Self.reply(reply.outcome, reply.detail, existed: false)
            }
        }
    }

    private func post(_ request: StoreCommandRequest, to owner: String) async throws {
        let inbox = RedisArgument.string(RedisKeys.inbox(worker: owner))
        _ = try await directory.pipeline([
            RedisCommand(
                "XADD", inbox, "MAXLEN", "~", .integer(Self.inboxLength), "*", "session", .string(request.session),
                "command",
                .string(request.command), "kind", .string(request.kind), "payload", .string(request.payload)),
            RedisCommand("PEXPIRE", inbox, .integer(directory.settings.life)),
        ])
    }

    private func watchLog(_ request: StoreCommandRequest, _ session: SessionID, existed: Bool) async throws
        -> StoreCommandReply?
    {
        var cursor = StreamEntry.ID.start
        while true {
            // What is there is looked through first: the owner may be quicker than this.
            if let reply = try await logged(request, session, after: cursor) {
                return Self.reply(reply.outcome, reply.detail, existed: existed)
            }
            for await entries in await tail.entries(of: RedisKeys.log(session), after: cursor) {
                if let reply = Self.find(request.command, in: entries, existed: existed) {
                    await answer(
                        .with {
                            $0.session = request.session
                            $0.command = request.command
                            $0.outcome = reply.outcome
                        })
                    return reply
                }
                cursor = entries.last?.id ?? cursor
            }
            try Task.checkCancellation()
        }
    }

    private func logged(_ request: StoreCommandRequest, _ session: SessionID, after cursor: StreamEntry.ID) async throws
        -> StoreCommandReply?
    {
        let log = try await directory.send(RedisCommand("XRANGE", .string(RedisKeys.log(session)), "(\(cursor)", "+"))
        return Self.find(request.command, in: StreamEntry.entries(log), existed: true)
    }

    private static func find(_ command: String, in entries: [StreamEntry], existed: Bool) -> StoreCommandReply? {
        for entry in entries {
            guard let bytes = entry.event, case .command(let logged) = (try? Event(stored: bytes))?.body,
                logged.command == command
            else { continue }
            return reply(logged.outcome, "", existed: existed)
        }
        return nil
    }

    private static func reply(_ outcome: String, _ detail: String, existed: Bool) -> StoreCommandReply {
        .with {
            $0.outcome = outcome
            $0.detail = detail
            $0.existed = existed
        }
    }
}

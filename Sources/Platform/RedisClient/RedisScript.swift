import Synchronization

/// A Lua script. Redis knows it by its hash after it was loaded once, and forgets it when it restarts.
package final class RedisScript: Sendable {
    let source: String
    /// Learnt from Redis when the script is loaded; it depends on the source only.
    private let hash = Mutex<String?>(nil)

    package init(_ source: String) {
        self.source = source
    }

    var knownHash: String? { hash.withLock { $0 } }

    func learn(_ value: String) {
        hash.withLock { $0 = value }
    }

    /// By hash where that is known, else by its source, which also loads it.
    func command(keys: [String], arguments: [RedisArgument], bySource: Bool = false) -> RedisCommand {
        var parts: [RedisArgument] = []
        parts.reserveCapacity(3 + keys.count + arguments.count)
        if let hash = knownHash, !bySource {
            parts += ["EVALSHA", .string(hash)]
        } else {
            parts += ["EVAL", .string(source)]
        }
        parts.append(.integer(keys.count))
        parts += keys.map(RedisArgument.string)
        parts += arguments
        return RedisCommand(parts)
    }
}

extension RedisClient {
    /// Loads scripts, so that running them takes only their hash. Not needed, but the first calls are cheaper.
    package nonisolated func load(_ scripts: [RedisScript]) async throws {
        let replies = try await pipeline(scripts.map { RedisCommand("SCRIPT", "LOAD", .string($0.source)) })
        for (script, reply) in zip(scripts, replies) {
            if let hash = try reply.value().string { script.learn(hash) }
        }
    }

    /// Runs a script. Redis that does not know it (it was restarted) is given the source.
    package nonisolated func run(
        _ script: RedisScript, keys: [String], arguments: [RedisArgument], _ completion: @escaping Completion
    ) {
        submit(script.command(keys: keys, arguments: arguments)) { [weak self] result in
            guard case .success(.error(let message)) = result, message.hasPrefix("NOSCRIPT"), let self else {
                return completion(result)
            }
            self.submit(script.command(keys: keys, arguments: arguments, bySource: true), completion)
        }
    }

    /// Runs a script and waits for what it returns.
    ///
    /// - Throws: as `send(_:)`.
    package nonisolated func run(_ script: RedisScript, keys: [String], arguments: [RedisArgument]) async throws
        -> RESPValue
    {
        do {
            return try await send(script.command(keys: keys, arguments: arguments))
        } catch let error as RedisError where error.serverCode == "NOSCRIPT" {
            return try await send(script.command(keys: keys, arguments: arguments, bySource: true))
        }
    }

    /// Waits until so many replicas have everything that was written before this call, by whichever connection, and says how many do when
    /// the time is over.
    ///
    /// Blocks its connection: use a dedicated client. Redis counts what the connection has seen, so that a PING in front of the WAIT makes it
    /// wait for all writes before it.
    package nonisolated func waitForReplicas(
        _ count: Int, timeout: Duration, _ completion: @escaping @Sendable (Result<Int, RedisError>) -> Void
    ) {
        let (seconds, attoseconds) = timeout.components
        let milliseconds = max(1, seconds * 1000 + attoseconds / 1_000_000_000_000_000)
        let patience = timeout + configuration.commandTimeout
        submit([
            RedisCommand("PING", timeout: patience),
            RedisCommand("WAIT", .integer(count), .integer(milliseconds), timeout: patience),
        ]) { result in
            completion(
                result.flatMap { replies in
                    replies.last?.integer.map { .success(Int($0)) }
                        ?? .failure(RedisError(.unexpectedReply, "WAIT did not return a number."))
                })
        }
    }
}

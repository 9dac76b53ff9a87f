import ClusterSupport
import Foundation
import NIOPosix
import RedisClient
import SessionLog
import TestDatabases

/// Session logs as they lie in a cluster's Redis.
enum SessionLogs {
    /// Ids of all sessions.
    static func sessions(in cluster: LocalCluster) async throws -> Set<String> {
        let keys = try await send(["KEYS", "parley:*:session:*"], to: cluster)
        return Set(keys.compactMap { $0.string?.split(separator: ":").last.map(String.init) })
    }

    /// What a session's log has so far.
    static func events(of session: String, in cluster: LocalCluster) async throws -> [Event] {
        guard let key = try await send(["KEYS", "parley:*:log:\(session)"], to: cluster).first?.string else { return [] }
        return try await send(["XRANGE", key, "-", "+"], to: cluster).compactMap { entry in
            let fields = entry.array?.last?.array ?? []
            return try fields.last?.bytes.map { try Event(stored: Data($0)) }
        }
    }

    /// Waits until a log fulfils a condition and returns it.
    @discardableResult
    static func events(
        of session: String, in cluster: LocalCluster, when what: String, _ condition: ([Event]) -> Bool
    ) async throws -> [Event] {
        var events: [Event] = []
        do {
            try await eventually(what) {
                events = (try? await Self.events(of: session, in: cluster)) ?? []
                return condition(events)
            }
        } catch {
            throw Unfulfilled(description: "\(error); the log is\n\(NormalLog(events).description)")
        }
        return events
    }

    /// Waits for the end of a session and returns its log.
    static func whole(_ session: String, in cluster: LocalCluster) async throws -> [Event] {
        try await events(of: session, in: cluster, when: "\(session) is closed") { $0.closing != nil }
    }

    private static func send(_ command: [String], to cluster: LocalCluster) async throws -> [RESPValue] {
        let configuration = try RedisConfiguration(url: cluster.redisURL)
        let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
        return try await RedisClient.withClient(configuration, on: eventLoop, logger: TestPostgres.quiet) { redis in
            try await redis.send(RedisCommand(command.map { RedisArgument(stringLiteral: $0) })).array ?? []
        }
    }
}

extension [Event] {
    var closing: Closed? {
        for case .closed(let closed) in compactMap(\.body) { return closed }
        return nil
    }

    var turns: [UserTurn] { compactMap { if case .userTurn(let turn) = $0.body { turn } else { nil } } }
    /// What became of replies, without places to go on at.
    var heard: [Heard] { compactMap { if case .heard(let heard) = $0.body, heard.complete || heard.interrupted { heard } else { nil } } }
    /// The workers that had the session, in order.
    var owners: [String] { compactMap { if case .claimed(let claimed) = $0.body { claimed.worker } else { nil } } }
}

package import Foundation
import GRPCCore
import GRPCNIOTransportHTTP2Posix
package import Logging
import NIOCore
import SwiftProtobuf
import Synchronization

/// The session store as the other services see it: one or more replicas behind one object.
///
/// A call goes to the replica that answered last; when that cannot be reached it goes to the next. Calls that change something are safe to
/// repeat: open and command by their keys, claim and close by the fence. Every call has a deadline.
package final class StoreClient: Sendable {
    typealias Transport = HTTP2ClientTransport.Posix

    /// A replica as `host:port`.
    package struct Address: Sendable, Hashable, CustomStringConvertible {
        package var host: String
        package var port: Int

        package init(host: String, port: Int) {
            self.host = host
            self.port = port
        }

        package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
    }

    let replicas: [GRPCClient<Transport>]
    package let addresses: [Address]
    let logger: Logger
    private let timeout: Duration
    private let preferred = Mutex(0)

    /// - Parameters:
    ///   - addresses: the replicas; at least one
    ///   - timeout: of a call to one replica
    package init(
        addresses: [Address], security: StoreSecurity = .plaintext, timeout: Duration = .seconds(2), logger: Logger
    ) throws(SessionLogError) {
        guard !addresses.isEmpty else {
            throw SessionLogError(.unavailable, message: "No address of a session store is configured.")
        }
        do {
            replicas = try addresses.map { address in
                GRPCClient(
                    transport: try .http2NIOPosix(
                        target: Self.target(address), transportSecurity: security.client,
                        config: .defaults { config in
                            // A replica that is gone without a word is noticed between two renewals.
                            config.connection.keepalive = .init(
                                time: .seconds(10), timeout: .seconds(3), allowWithoutCalls: false)
                            config.backoff = .init(
                                initial: .milliseconds(50), max: .seconds(1), multiplier: 1.6, jitter: 0.2)
                        }))
            }
        } catch {
            throw SessionLogError(
                .unavailable, message: "The connections to the session store cannot be set up.", cause: error)
        }
        self.addresses = addresses
        self.timeout = timeout
        self.logger = logger
    }

    /// The name in a certificate is compared with a host name, or with the address where the host is one.
    private static func target(_ address: Address) -> any ResolvableTarget {
        switch try? SocketAddress(ipAddress: address.host, port: address.port) {
        case .v4: .ipv4(address: address.host, port: address.port)
        case .v6: .ipv6(address: address.host, port: address.port)
        case .unixDomainSocket, nil: .dns(host: address.host, port: address.port)
        }
    }

    /// Keeps the connections up until the task is cancelled or `close()` is called. Calls work while it runs.
    package func run() async throws {
        try await withTaskCancellationHandler {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for replica in replicas { group.addTask { try await replica.runConnections() } }
                try await group.waitForAll()
            }
        } onCancel: {
            close()
        }
    }

    /// Ends the connections once the calls under way are answered. `run()` returns then.
    package func close() {
        for replica in replicas { replica.beginGracefulShutdown() }
    }

    // MARK: Calls

    /// Creates a session. The same idempotency key gives the same session again.
    ///
    /// - Throws: `full` with `retryAfter`, `malformed`, `unavailable`, `timeout`.
    package func open(_ request: StoreOpenRequest) async throws(SessionLogError) -> StoreOpenReply {
        try await call { try await $0.open(request, options: $1) }
    }

    /// Makes a worker the owner, if the fence is still the one it saw; the answer has the log.
    ///
    /// - Throws: `claimLost` when somebody else was first, `newerEvents`, `notFound`, `unavailable`, `timeout`.
    package func claim(_ request: StoreClaimRequest) async throws(SessionLogError) -> StoreClaimReply {
        try await call { try await $0.claim(request, options: $1) }
    }

    /// Header and log of a session, from a sequence on.
    package func load(tenant: String, session: String, from sequence: UInt64 = 0) async throws(SessionLogError)
        -> StoreLoadReply
    {
        let request = StoreLoadRequest.with {
            $0.tenant = tenant
            $0.session = session
            $0.fromSequence = sequence
        }
        return try await call { try await $0.load(request, options: $1) }
    }

    /// Header of a session, without its log.
    package func header(tenant: String, session: String) async throws(SessionLogError) -> StoreHeader {
        try await load(tenant: tenant, session: session, from: .max).header
    }

    /// Gives the owner a command and waits, until the request's deadline, for it to be in the log.
    ///
    /// - Throws: `timeout` when the owner has not logged it by then; ask again with the same id to learn what became of it.
    package func command(_ request: StoreCommandRequest) async throws(SessionLogError) -> StoreCommandReply {
        let patience = max(timeout, .milliseconds(request.deadlineMs) + .seconds(1))
        return try await call(timeout: patience) { try await $0.command(request, options: $1) }
    }

    /// Appends the last events, `closed` among them, as the owner with that fence.
    package func close(_ request: StoreCloseRequest) async throws(SessionLogError) -> StoreCloseReply {
        try await call { try await $0.close(request, options: $1) }
    }

    /// Open sessions whose lease has ended, the longest ago first.
    package func orphans(limit: Int, minimumAge: Duration) async throws(SessionLogError) -> StoreOrphansReply {
        let (seconds, attoseconds) = minimumAge.components
        let request = StoreOrphansRequest.with {
            $0.limit = UInt32(clamping: limit)
            $0.minimumAgeMs = seconds * 1000 + attoseconds / 1_000_000_000_000_000
        }
        return try await call { try await $0.orphans(request, options: $1) }
    }

    /// Keeps an agent definition for those who know its hash.
    package func putAgent(tenant: String, hash: String, definition: Data) async throws(SessionLogError) {
        let request = StorePutAgentRequest.with {
            $0.tenant = tenant
            $0.hash = hash
            $0.definition = definition
        }
        _ = try await call { try await $0.putAgent(request, options: $1) }
    }

    /// The agent definition with that hash.
    ///
    /// - Throws: `notFound`
    package func getAgent(tenant: String, hash: String) async throws(SessionLogError) -> Data {
        let request = StoreGetAgentRequest.with {
            $0.tenant = tenant
            $0.hash = hash
        }
        return try await call { try await $0.getAgent(request, options: $1).definition }
    }

    /// The log of a session, then what is added to it, until it is closed. Goes on at another replica when one fails; nothing comes twice.
    ///
    /// - Parameters:
    ///   - cursor: of an earlier reply, to go on behind it; empty for the start
    ///   - take: called with each part in order; the next one waits until it returns
    /// - Throws: what `take` throws; `notFound`; `unavailable` when no replica has answered for ten tries in a row; `CancellationError`.
    package func follow(
        tenant: String, session: String, after cursor: String = "",
        _ take: @Sendable @escaping (StoreFollowReply) async throws -> Void
    ) async throws {
        let place = Mutex(cursor)
        var failures = 0
        while true {
            let request = StoreFollowRequest.with {
                $0.tenant = tenant
                $0.session = session
                $0.after = place.withLock { $0 }
            }
            let before = request.after
            do {
                let isDone = try await StoreSessionStore.Client(wrapping: current.client).follow(request) { response in
                    for try await reply in response.messages {
                        try await take(reply)
                        if !reply.cursor.isEmpty { place.withLock { $0 = reply.cursor } }
                        if reply.closed { return true }
                    }
                    return false
                }
                if isDone { return }
                failures = 0
            } catch let error as RPCError where Self.isTransient(error) && !Task.isCancelled {
                failures = place.withLock { $0 } == before ? failures + 1 : 0
                guard failures < 10 else { throw Self.translate(error) }
                moveOn(from: current.index)
            } catch let error as RPCError {
                try Task.checkCancellation()
                throw Self.translate(error)
            }
            try await Task.sleep(for: .milliseconds(100))
        }
    }

    // MARK: Replicas

    var current: (index: Int, client: GRPCClient<Transport>) {
        let index = preferred.withLock { $0 }
        return (index, replicas[index])
    }

    /// The replica with that index failed: the next one is preferred, unless somebody else has noticed before.
    func moveOn(from index: Int) {
        preferred.withLock { if $0 == index { $0 = (index + 1) % replicas.count } }
    }

    private func call<Result: Sendable>(
        timeout: Duration? = nil, _ body: (StoreSessionStore.Client<Transport>, CallOptions) async throws -> Result
    ) async throws(SessionLogError) -> Result {
        var options = CallOptions.defaults
        options.timeout = timeout ?? self.timeout
        options.waitForReady = replicas.count == 1
        options.maxResponseMessageBytes = 64 << 20
        var failure = RPCError(code: .unavailable, message: "no replica was asked")
        for _ in replicas.indices {
            let (index, client) = current
            do {
                return try await body(StoreSessionStore.Client(wrapping: client), options)
            } catch let error as RPCError {
                failure = error
                guard Self.isTransient(error), !Task.isCancelled else { break }
                moveOn(from: index)
            } catch {
                throw SessionLogError(.unavailable, message: "The session store cannot be asked.", cause: error)
            }
        }
        throw Self.translate(failure)
    }

    private static func isTransient(_ error: RPCError) -> Bool {
        switch error.code {
        case .unavailable, .deadlineExceeded, .cancelled, .unknown, .internalError: true
        default: false
        }
    }

    /// Metadata of a refusal for lack of room: when to try again.
    package static let retryAfterKey = "retry-after-ms"

    static func translate(_ error: RPCError) -> SessionLogError {
        let code: SessionLogError.Code =
            switch error.code {
            case .notFound: .notFound
            case .aborted: .claimLost
            case .failedPrecondition: .newerEvents
            case .resourceExhausted: .full
            case .deadlineExceeded: .timeout
            case .invalidArgument: .malformed
            default: .unavailable
            }
        let retryAfter = error.metadata[stringValues: retryAfterKey].first { _ in true }.flatMap { Int64($0) }
        return SessionLogError(
            code, message: "The session store says: \(error.message).",
            retryAfter: retryAfter.map { .milliseconds($0) }, cause: error)
    }
}

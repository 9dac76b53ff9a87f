import GRPCCore
import RedisClient
import SessionLog
import SwiftProtobuf
import Telemetry

/// The service's methods: each hands its request to the part that knows.
struct StoreService: StoreSessionStore.SimpleServiceProtocol {
    let parts: OwnerConnection.Parts
    let follower: SessionFollower

    private var directory: SessionDirectory { parts.directory }
    private var metrics: StoreMetrics { parts.directory.metrics }

    func open(request: StoreOpenRequest, context: ServerContext) async throws -> StoreOpenReply {
        try await directory.open(request)
    }

    func claim(request: StoreClaimRequest, context: ServerContext) async throws -> StoreClaimReply {
        let reply = try await directory.claim(request)
        if directory.condition.hasReplicas, await !parts.coordinator.reachesReplica() {
            metrics.unreplicated.increment()
        }
        return reply
    }

    func own(
        request: RPCAsyncSequence<StoreOwnerMessage, any Error>, response: RPCWriter<StoreOwnerReply>,
        context: ServerContext
    ) async throws {
        metrics.streams.increment()
        defer { metrics.streams.decrement() }
        try await OwnerConnection(parts: parts).serve(request, to: response)
    }

    func load(request: StoreLoadRequest, context: ServerContext) async throws -> StoreLoadReply {
        try await directory.load(request)
    }

    func follow(request: StoreFollowRequest, response: RPCWriter<StoreFollowReply>, context: ServerContext) async throws
    {
        metrics.followers.increment()
        defer { metrics.followers.decrement() }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await follower.follow(request) { try await response.write($0) } }
            group.addTask { try await parts.stop.wait() }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    func command(request: StoreCommandRequest, context: ServerContext) async throws -> StoreCommandReply {
        try await parts.desk.command(request)
    }

    func close(request: StoreCloseRequest, context: ServerContext) async throws -> StoreCloseReply {
        let append = StoreAppend.with {
            $0.tenant = request.tenant
            $0.session = request.session
            $0.fence = request.fence
            $0.firstSequence = request.firstSequence
            $0.events = request.events
        }
        // A close is never short of memory: it frees some.
        guard let prepared = EventIntake(settings: directory.settings).prepare(append, isShortOfMemory: false) else {
            throw StoreFailure.notFound("session")
        }
        guard prepared.closes else { throw StoreFailure.invalid("the events of a close must contain closed") }
        let owner = try await directory.header(of: prepared.session.id, tenant: request.tenant).owner
        return await withCheckedContinuation { continuation in
            parts.coordinator.submit(prepared, worker: owner) { answer, isReplicated in
                continuation.resume(
                    returning: .with {
                        $0.outcome = answer.outcome
                        $0.nextSequence = answer.nextSequence
                        $0.replicated = isReplicated
                    })
            }
        }
    }

    func orphans(request: StoreOrphansRequest, context: ServerContext) async throws -> StoreOrphansReply {
        try await directory.orphans(request)
    }

    func putAgent(request: StorePutAgentRequest, context: ServerContext) async throws -> StorePutAgentReply {
        try await directory.putAgent(request)
    }

    func getAgent(request: StoreGetAgentRequest, context: ServerContext) async throws -> StoreGetAgentReply {
        try await directory.getAgent(request)
    }
}

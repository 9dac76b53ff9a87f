import Cryptography
import Foundation
import Logging
import NIOCore
import NIOPosix
import RedisClient
import ServiceLifecycle
import ServiceSupport
import SessionLog
import SessionStoreService
import Telemetry

/// Wires a session store.
@main
enum SessionStoreProgram {
    static let listen = EnvironmentKey<NetworkAddress>.address(
        "PARLEY_STORE_LISTEN", default: "127.0.0.1:7200",
        help: "Where the gRPC service listens; an IP address and a port.")
    static let redis = EnvironmentKey<Secret>.secret(
        "PARLEY_REDIS_URL", default: "redis://127.0.0.1:6379",
        help: "Redis, as redis:// or rediss://user:password@host:port/database.")
    static let redisAuthorities = EnvironmentKey<String>.string(
        "PARLEY_REDIS_CA_FILE", default: "",
        help: "PEM file of the authorities of Redis's certificate, beside the system's.")
    static let partitions = EnvironmentKey<Int>.integer(
        "PARLEY_STORE_PARTITIONS", in: 1...SessionID.partitionLimit, default: "16",
        help: "Partitions of the region; the same for all services, and it may only grow.")
    static let redaction = EnvironmentKey<String>.string(
        "PARLEY_STORE_REDACTION", default: NoRedaction.name,
        help:
            "What is taken out of events before they are stored: none, or digits (numbers that look like payment cards)."
    )

    static func main() async {
        let definition = ServiceDefinition(
            name: "session-store", opsPort: 7201,
            keys: [
                listen.declaration, redis.declaration, redisAuthorities.declaration, partitions.declaration,
                redaction.declaration,
            ] + StoreSecurity.declarations)
        if CommandLine.arguments.contains("--help-config") {
            print(definition.configurationHelp)
            return
        }
        // See EventLoopExecutor.
        NIOSingletons.groupLoopCountSuggestion = 1
        let code = await ServiceRunner(definition).run { context in [try service(context)] }
        exit(code.rawValue)
    }

    private static func service(_ context: ServiceContext) throws -> StoreProcess {
        let environment = context.environment
        var configuration = try RedisConfiguration(url: environment.get(redis).revealed)
        let file = try environment.get(redisAuthorities)
        configuration.trustedCertificates = file.isEmpty ? nil : file
        let address = try environment.get(listen)
        let server = SessionStoreServer(
            host: address.host, port: address.port, redis: configuration, settings: try settings(environment),
            security: try StoreSecurity(environment), eventLoops: context.eventLoops, metrics: context.metrics,
            logger: context.logger)
        context.health.addReadinessCheck("redis") {
            try await server.checkRedis()
            return .ready
        }
        return StoreProcess(server: server, context: context)
    }

    private static func settings(_ environment: ServiceEnvironment) throws -> StoreSettings {
        var settings = StoreSettings()
        settings.partitions = try environment.get(partitions)
        let name = try environment.get(redaction)
        let registry = RedactionRegistry()
        guard let hook = registry.hook(name) else {
            throw SessionLogError(
                .malformed,
                message: "PARLEY_STORE_REDACTION is '\(name)', known are \(registry.names.joined(separator: ", ")).")
        }
        settings.redaction = hook
        return settings
    }
}

/// The store as a part of its process.
private struct StoreProcess: Service {
    let server: SessionStoreServer
    let context: ServiceContext

    func run() async throws {
        try await withGracefulShutdownHandler {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await server.run() }
                context.announce("grpc", at: "\(try await server.listeningAddress)")
                try await group.waitForAll()
            }
        } onGracefulShutdown: {
            server.stop()
        }
    }
}

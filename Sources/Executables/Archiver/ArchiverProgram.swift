import ArchiverService
import Cryptography
import Foundation
import Logging
import NIOPosix
import PostgresClient
import RedisClient
import ServiceSupport
import Telemetry

/// Wires an archiver.
@main
enum ArchiverProgram {
    static let redis = EnvironmentKey<Secret>.secret(
        "PARLEY_REDIS_URL", default: "redis://127.0.0.1:6379",
        help: "Redis, as redis:// or rediss://user:password@host:port/database.")
    static let redisAuthorities = EnvironmentKey<String>.string(
        "PARLEY_REDIS_CA_FILE", default: "",
        help: "PEM file of the authorities of Redis's certificate, beside the system's.")
    static let postgres = EnvironmentKey<Secret>.secret(
        "PARLEY_POSTGRES_URL", help: "PostgreSQL, as postgresql://user:password@host:port/database.")
    static let connections = EnvironmentKey<Int>.integer(
        "PARLEY_POSTGRES_CONNECTIONS", in: 2...100, default: "4", help: "Connections to PostgreSQL at most.")
    static let partitions = EnvironmentKey<Int>.integer(
        "PARLEY_STORE_PARTITIONS", in: 1...100, default: "16",
        help: "Partitions of the region; the same for all services, and it may only grow.")
    static let batch = EnvironmentKey<Int>.integer(
        "PARLEY_ARCHIVER_BATCH", in: 1...10_000, default: "500",
        help: "Entries read from each partition at a time.")
    static let claimAfter = EnvironmentKey<Duration>.duration(
        "PARLEY_ARCHIVER_CLAIM_AFTER", in: .seconds(1) ... .seconds(3600), default: "30s",
        help: "Entries that another archiver has held for so long are taken over.")
    static let closedLife = EnvironmentKey<Duration>.duration(
        "PARLEY_ARCHIVER_CLOSED_LIFE", in: .seconds(1) ... .seconds(86_400), default: "5m",
        help: "How long the log of a closed and archived session stays in Redis.")

    static func main() async {
        let definition = ServiceDefinition(
            name: "archiver", opsPort: 7301,
            keys: [
                redis.declaration, redisAuthorities.declaration, postgres.declaration, connections.declaration,
                partitions.declaration, batch.declaration, claimAfter.declaration, closedLife.declaration,
            ], alsoKnown: ["PARLEY_TICKET_KEYS"])
        if CommandLine.arguments.contains("--help-config") {
            print(definition.configurationHelp)
            return
        }
        let code = await ServiceRunner(definition).run { context in [try archiver(context)] }
        exit(code.rawValue)
    }

    private static func archiver(_ context: ServiceContext) throws -> Archiver {
        let environment = context.environment
        let archiver = Archiver(
            try settings(environment),
            redis: RedisClient(
                try redisConfiguration(environment), on: context.eventLoops.next(), logger: context.logger),
            pool: PostgresPool(try postgresConfiguration(environment), logger: context.logger),
            consumer: "\(ProcessInfo.processInfo.hostName)-\(UUID().uuidString.lowercased())",
            metrics: context.metrics, logger: context.logger)
        context.health.addReadinessCheck("redis") {
            try await archiver.checkRedis()
            return .ready
        }
        context.health.addReadinessCheck("postgresql") {
            try await archiver.checkPostgres()
            return .ready
        }
        return archiver
    }

    private static func settings(_ environment: ServiceEnvironment) throws -> ArchiverSettings {
        var settings = ArchiverSettings()
        settings.partitions = 0..<(try environment.get(partitions))
        settings.batchEntries = try environment.get(batch)
        settings.claimAfter = try environment.get(claimAfter)
        settings.closedLife = try environment.get(closedLife)
        return settings
    }

    private static func redisConfiguration(_ environment: ServiceEnvironment) throws -> RedisConfiguration {
        var configuration = try RedisConfiguration(url: environment.get(redis).revealed, name: "archiver")
        let file = try environment.get(redisAuthorities)
        configuration.trustedCertificates = file.isEmpty ? nil : file
        return configuration
    }

    private static func postgresConfiguration(_ environment: ServiceEnvironment) throws -> PostgresConfiguration {
        var configuration = try PostgresConfiguration(url: environment.get(postgres).revealed)
        configuration.applicationName = "parley archiver"
        configuration.maximumConnections = try environment.get(connections)
        configuration.sessionSettings = Archiver.connectionSettings
        return configuration
    }
}

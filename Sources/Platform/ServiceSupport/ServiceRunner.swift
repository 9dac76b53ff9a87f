import Foundation
import Glibc
package import Logging
import NIOPosix
package import ServiceLifecycle
package import Telemetry
package import UnixSignals

/// Runs a process: reads its configuration, serves its operators, builds its services, and ends them in order.
///
/// SIGTERM and SIGINT begin a graceful end: the process is no longer ready, then the services are asked to end in reverse order, each when the
/// one after it has; after the grace period they are cancelled, and five seconds later the process ends without them.
package struct ServiceRunner: Sendable {
    /// Makes the services once the configuration is known. They are started in order.
    package typealias Build = @Sendable (ServiceContext) async throws -> [any Service]

    private let definition: ServiceDefinition
    private let variables: [String: String]
    private let makeLogger: (@Sendable (LogSettings) -> Logger)?
    private let signals: [UnixSignal]
    private let metrics: MetricsRegistry

    /// - Parameters:
    ///   - variables: the environment; that of the process unless given.
    ///   - makeLogger: for tests; the logging of the process is set up otherwise.
    ///   - signals: those that begin a graceful end.
    package init(
        _ definition: ServiceDefinition, variables: [String: String] = ProcessInfo.processInfo.environment,
        metrics: MetricsRegistry = MetricsRegistry(), makeLogger: (@Sendable (LogSettings) -> Logger)? = nil,
        signals: [UnixSignal] = [.sigterm, .sigint]
    ) {
        self.definition = definition
        self.variables = variables
        self.metrics = metrics
        self.makeLogger = makeLogger
        self.signals = signals
    }

    /// Runs until the process is asked to end or fails; says how it ended. Call it once.
    package func run(_ build: Build) async -> ExitCode {
        // A peer that has gone away is an error of a write, not the end of the process.
        signal(SIGPIPE, SIG_IGN)
        let (settings, problems) = LogSettings.fromEnvironment(variables, service: definition.name)
        let writer = makeLogger == nil ? Log.bootstrap(settings) : nil
        defer { writer?.flush() }
        let logger = makeLogger?(settings) ?? Logger(label: definition.name)
        // Before the errors: a misspelt variable is often why another one is missing.
        let warnings = ServiceEnvironment.warnings(
            about: variables, declarations: definition.allKeys, alsoKnown: definition.alsoKnown)
        for warning in problems + warnings { logger.warning("\(warning)") }
        do {
            let environment = try ServiceEnvironment(definition.allKeys, from: variables)
            try await run(environment, logger, writer, build)
            logger.notice("stopped")
            return .success
        } catch let error as ConfigurationError {
            for problem in error.problems { logger.critical("configuration: \(problem)") }
            return .configuration
        } catch {
            logger.critical("\(definition.name) failed", metadata: ["error": "\(error)"])
            return .failure
        }
    }

    private func run(_ environment: ServiceEnvironment, _ logger: Logger, _ writer: LogWriter?, _ build: Build)
        async throws
    {
        ProcessMetrics.register(in: metrics, service: definition.name, version: ParleyVersion.current)
        let context = ServiceContext(
            name: definition.name, environment: environment, logger: logger, metrics: metrics, health: Health(),
            eventLoops: .singleton, shutdown: ShutdownRequest())
        let grace = try environment.get(CommonKeys.shutdownGrace)
        let ops = OpsServer(
            address: try environment.get(CommonKeys.opsAddress(defaultPort: definition.opsPort)), metrics: metrics,
            health: context.health, logger: logger, group: context.eventLoops
        ) { address in context.announce("ops", at: "http://\(address)") }
        let monitor = EventLoopMonitor(context.eventLoops, metrics: metrics, health: context.health)
        let hardStop = HardStop {
            logger.critical("did not stop in time, giving up")
            writer?.flush()
            Glibc._exit(ExitCode.stuck.rawValue)
        }
        defer { hardStop.disarm() }
        let guardian = ShutdownGuard(
            request: context.shutdown, health: context.health, logger: logger, grace: grace, hardStop: hardStop)
        logger.notice(
            "starting",
            metadata: [
                "version": "\(ParleyVersion.current)", "pid": .stringConvertible(getpid()),
                "event_loops": .stringConvertible(Array(context.eventLoops.makeIterator()).count),
            ])
        let own = try await build(context)
        try await runGroup([ops, monitor] + own, guardian, grace, logger)
    }

    // The operators' server comes first and so ends last: how the rest ends can be watched.
    private func runGroup(
        _ services: [any Service], _ guardian: ShutdownGuard, _ grace: Duration, _ logger: Logger
    ) async throws {
        var configuration = ServiceGroupConfiguration(
            services: services.map { .init(service: $0) }
                + [.init(service: guardian, successTerminationBehavior: .gracefullyShutdownGroup)],
            gracefulShutdownSignals: signals, logger: logger.atLeast(.warning))
        configuration.maximumGracefulShutdownDuration = grace
        do {
            try await ServiceGroup(configuration: configuration).run()
        } catch let error as ServiceGroupError where error.errorCode == .serviceFinishedUnexpectedly {
            throw ServiceError(
                .endedUnexpectedly, "a part of the service ended although nobody asked it to", cause: error)
        }
    }
}

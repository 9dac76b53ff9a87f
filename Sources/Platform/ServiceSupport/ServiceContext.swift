package import Logging
package import NIOPosix
package import Telemetry

/// What a service is given when it is built: its configuration and the parts that every process has.
package struct ServiceContext: Sendable {
    /// The name of the process, as in its logs.
    package let name: String
    /// The declared variables.
    package let environment: ServiceEnvironment
    package let logger: Logger
    package let metrics: MetricsRegistry
    package let health: Health
    /// The event loops of the process; monitored for lag.
    package let eventLoops: MultiThreadedEventLoopGroup
    /// Ends the process gracefully from inside.
    package let shutdown: ShutdownRequest

    /// Logs that connections are accepted at `address`, for example under the name `public`.
    package func announce(_ what: String, at address: String) {
        logger.info("listening", metadata: ["endpoint": "\(what)", "address": "\(address)"])
    }
}

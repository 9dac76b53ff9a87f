/// The variables that every service reads.
package enum CommonKeys {
    /// Where `/metrics`, `/healthz` and `/readyz` are served.
    package static func opsAddress(defaultPort: Int) -> EnvironmentKey<NetworkAddress> {
        .address(
            "PARLEY_OPS_ADDRESS", default: "127.0.0.1:\(defaultPort)",
            help: "Where /metrics, /healthz and /readyz are served; do not expose it to the internet.")
    }

    /// The time live work gets to end after SIGTERM.
    package static let shutdownGrace = EnvironmentKey<Duration>.duration(
        "PARLEY_SHUTDOWN_GRACE", in: .zero ... .seconds(86_400), default: "30s",
        help: "How long work in progress may go on after SIGTERM before it is cancelled.")

    /// How long a session is kept for a caller who lost the connection. Workers wait for so long, dispatchers and the reaper count on it.
    package static let reconnectWindow = EnvironmentKey<Duration>.duration(
        "PARLEY_RECONNECT_WINDOW", in: .zero ... .seconds(1800), default: "30s",
        help: "How long a session waits for a caller who lost the connection; the same for all services.")

    // Read by LogSettings before anything else, so that configuration errors can be logged; listed here to be documented and checked.
    static let log: [EnvironmentDeclaration] = [
        EnvironmentKey<String>.string(
            "PARLEY_LOG_LEVEL", default: "info", help: "trace, debug, info, notice, warning, error or critical."
        ).declaration,
        EnvironmentKey<String?>(
            "PARLEY_LOG_FORMAT", type: "json or text", default: "",
            help: "The form of log lines; text on a terminal and json elsewhere unless set."
        ) { $0 }.declaration,
        EnvironmentKey<Bool>.flag(
            "PARLEY_LOG_PERSONAL", default: false, help: "Whether words of callers are logged, at debug level."
        ).declaration,
    ]
}

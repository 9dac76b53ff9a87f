package import BackendKit
package import Logging

/// Clients that speak RTVI as JSON over WebSockets, as Pipecat's `RTVIClientTransport` does.
package struct RTVIBackend: VoiceBackend {
    package init() {}

    package let name = "rtvi"
    package let capabilities: BackendCapabilities = [.dtmf, .dataMessages]
    package let fields: [BackendField] = [
        .init(
            "eval", .flag, from: .operator(variable: "PARLEY_RTVI_EVAL"), default: "false",
            help: "Lets 'pipecat eval' drive sessions of the backend 'rtvi': a client may then write what was said before, and learns what tools are called with.")
    ]

    package func makeAdmission(_ settings: BackendSettings, logger: Logger) -> any BackendAdmission { RTVIAdmission() }

    package func makeMedia(_ settings: BackendSettings, logger: Logger) -> BackendMedia {
        let evaluates = settings.flag("eval")
        if evaluates {
            logger.warning(
                "PARLEY_RTVI_EVAL is on: every client of this backend may rewrite the history of its session and see the arguments of tools; never in production")
        }
        return .relayed(RTVIMedia(evaluates: evaluates))
    }
}

private struct RTVIAdmission: BackendAdmission {
    let webSocketPaths = ["/v1/rtvi"]

    func fatal(_ message: String) -> WireMessage? { RTVICodec.wire(RTVIConversation.fatal(message)) }
    func waiting(position: Int) -> WireMessage? { RTVICodec.wire(RTVIConversation.waiting(position: position)) }
}

private struct RTVIMedia: RelayedMedia {
    let evaluates: Bool
    func makeCodec(handshake: [UInt8]) -> any ClientCodec { RTVICodec(handshake: handshake, evaluates: evaluates) }
}

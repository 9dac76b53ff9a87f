package import BackendKit
package import Logging

/// Pipecat clients over WebSockets, with its protobuf frames.
package struct PipecatBackend: VoiceBackend {
    package init() {}

    package let name = "pipecat"
    package let capabilities: BackendCapabilities = [.dtmf, .dataMessages]
    package let fields: [BackendField] = []

    package func makeAdmission(_ settings: BackendSettings, logger: Logger) -> any BackendAdmission { PipecatAdmission() }
    package func makeMedia(_ settings: BackendSettings, logger: Logger) -> BackendMedia { .relayed(PipecatMedia()) }
}

private struct PipecatAdmission: BackendAdmission {
    /// `/ws-client` is what Pipecat's examples use.
    let webSocketPaths = ["/v1/ws", "/ws-client"]

    func fatal(_ message: String) -> WireMessage? { PipecatCodec.fatal(message) }
    func waiting(position: Int) -> WireMessage? { PipecatCodec.waiting(position: position) }
}

private struct PipecatMedia: RelayedMedia {
    func makeCodec(handshake: [UInt8]) -> any ClientCodec { PipecatCodec(handshake: handshake) }
}

public import BackendKit
public import Logging
import NIOCore

/// Callers over WebSockets, with lines of text and audio as it is.
public struct LineBackend: VoiceBackend {
    public init() {}

    public let name = "line"
    public let capabilities: BackendCapabilities = []
    public let fields: [BackendField] = [
        .init("path", .text, from: .operator(variable: "LINE_PATH"), default: "/v1/line", help: "Where callers connect with WebSockets."),
        .init("captions", .flag, from: .operator(variable: "LINE_CAPTIONS"), default: "true", help: "Whether callers can read what is said."),
    ]

    public func makeAdmission(_ settings: BackendSettings, logger: Logger) throws -> any BackendAdmission {
        let path = settings.text("path")
        guard path.hasPrefix("/"), path.count > 1 else {
            throw BackendError(name, field: "LINE_PATH", "is '\(path)'; it must begin with a slash, as /v1/line does")
        }
        return LineAdmission(webSocketPaths: [path])
    }

    public func makeMedia(_ settings: BackendSettings, logger: Logger) throws -> BackendMedia {
        .relayed(LineMedia(hasCaptions: settings.flag("captions")))
    }
}

/// Lets callers in. API keys, connect tokens, limits and the line of those who wait are the dispatcher's own.
private struct LineAdmission: BackendAdmission {
    let webSocketPaths: [String]

    func fatal(_ message: String) -> WireMessage? { .line("error: \(message)") }
    func waiting(position: Int) -> WireMessage? { .line("waiting: \(position)") }
}

private struct LineMedia: RelayedMedia {
    let hasCaptions: Bool

    func makeCodec(handshake: [UInt8]) -> any ClientCodec { LineCodec(hasCaptions: hasCaptions, handshake: handshake) }
}

extension WireMessage {
    static func line(_ text: String) -> WireMessage { WireMessage(ByteBuffer(string: text), isText: true) }
}

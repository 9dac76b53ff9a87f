/// Why a session ends.
public enum EndReason: String, Sendable, Hashable, CaseIterable {
    case completed, hangUp = "hang_up", clientDisconnected = "client_disconnected", idle, maxDuration = "max_duration"
    /// The caller talks to somebody else now.
    case transferred
    case failed, shutdown, lost, protocolError = "protocol_error"
    /// Another worker goes on; the log stays open.
    case handedOver = "handed_over"
    /// The client is connected elsewhere; the log stays open.
    case superseded

    /// WebSocket close code: 1000 for an ordinary end, 1011 for our failure, 1012 for a restart, 1002 for the client's mistake.
    public var closeCode: UInt16 {
        switch self {
        case .completed, .hangUp, .clientDisconnected, .idle, .maxDuration, .transferred: 1000
        case .failed, .lost: 1011
        case .shutdown, .handedOver: 1012
        case .protocolError: 1002
        case .superseded: 4409
        }
    }
}

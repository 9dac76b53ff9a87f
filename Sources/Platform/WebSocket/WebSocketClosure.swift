/// How a WebSocket ended.
package struct WebSocketClosure: Sendable, Equatable {
    /// A close code of RFC 6455 section 7.4 or of an application.
    package struct Code: RawRepresentable, Sendable, Hashable {
        package let rawValue: UInt16
        package init(rawValue: UInt16) { self.rawValue = rawValue }

        package static let normal = Code(rawValue: 1000)
        package static let goingAway = Code(rawValue: 1001)
        package static let protocolError = Code(rawValue: 1002)
        package static let unacceptableData = Code(rawValue: 1003)
        /// The peer's close frame had no code. Never on the wire.
        package static let noStatus = Code(rawValue: 1005)
        /// There was no close frame at all. Never on the wire.
        package static let abnormal = Code(rawValue: 1006)
        package static let invalidText = Code(rawValue: 1007)
        package static let policyViolation = Code(rawValue: 1008)
        package static let tooBig = Code(rawValue: 1009)
        package static let internalError = Code(rawValue: 1011)
        package static let serviceRestart = Code(rawValue: 1012)
        package static let tryAgainLater = Code(rawValue: 1013)

        /// RFC 6455 section 7.4.1 and the IANA registry: 1004, 1005, 1006 and 1015 are reserved, below 1000 and above 4999 unused.
        var mayBeSent: Bool {
            switch rawValue {
            case 1000...1003, 1007...1014, 3000...4999: true
            default: false
            }
        }
    }

    package var code: Code
    /// At most 123 bytes on the wire; cut at a character when sent.
    package var reason: String
    /// True where this end decided to close.
    package var isLocal: Bool
    /// Set where the connection ended by anything but a close handshake that one side asked for.
    package var error: WebSocketError?

    package init(code: Code, reason: String, isLocal: Bool = false, error: WebSocketError? = nil) {
        self.code = code
        self.reason = reason
        self.isLocal = isLocal
        self.error = error
    }

    package static func == (a: WebSocketClosure, b: WebSocketClosure) -> Bool {
        a.code == b.code && a.reason == b.reason && a.isLocal == b.isLocal && a.error?.code == b.error?.code
    }

    /// The reason as it fits into a control frame (125 bytes less the code).
    var wireReason: Substring {
        var text = Substring(reason)
        while text.utf8.count > 123 { text.removeLast() }
        return text
    }
}

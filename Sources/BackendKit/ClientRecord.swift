/// A backend's own record of its client, for the log.
public struct ClientRecord: Sendable, Hashable {
    /// For people, e.g. `rtvi/2+protobuf`.
    public var protocolName: String
    /// Enough for another worker's backend to go on; empty until the client has said who it is.
    public var handshake: [UInt8]

    public init(protocolName: String, handshake: [UInt8]) {
        self.protocolName = protocolName
        self.handshake = handshake
    }
}

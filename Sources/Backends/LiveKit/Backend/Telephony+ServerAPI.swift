import LiveKitMedia
import LiveKitProtocol
import NIOPosix

extension Telephony {
    /// By the server's API. Transfers need LiveKit's SIP service too.
    static func by(_ credentials: LiveKitCredentials) -> Telephony {
        let api = LiveKitServerAPI(credentials, eventLoop: MultiThreadedEventLoopGroup.singleton.next())
        return Telephony(
            hangUp: { identity, room in
                do { try await api.removeParticipant(identity, room: room) } catch let error as LiveKitProtocol.LiveKitError where error.code == .notFound {}
            },
            transfer: { identity, room, target throws(Failure) in
                let status: LiveKitSIPTransferStatus
                do { status = try await api.transfer(identity, room: room, to: target).status } catch { throw failure(error) }
                guard status != .stsTransferFailed else {
                    throw Failure(told: "the other side did not take the call", description: "LiveKit says that it failed")
                }
            })
    }

    private static func failure(_ error: any Error) -> Failure {
        let error = error as? LiveKitProtocol.LiveKitError
        let told =
            if let status = error?.metadata["sip_status_code"] {
                "the other side did not take the call: \(status) \(error?.metadata["sip_status"] ?? "")"
            } else if error?.code == .notFound {
                "the caller has left"
            } else if error?.code == .unreachable || error?.code == .deadlineExceeded {
                "the telephone service did not answer in time"
            } else {
                "the telephone service refused"
            }
        return Failure(told: told, description: error?.message ?? "cancelled")
    }
}

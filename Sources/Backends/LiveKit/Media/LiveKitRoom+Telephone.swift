import BackendKit
import Logging

/// Callers who are in the room by telephone.
extension LiveKitRoom {
    /// What the agent has said last is heard within this.
    private static let lastAudio = Duration.milliseconds(300)

    /// The agent has left for good, and a telephone would stay connected to an empty room.
    func hangUp(_ identity: String) {
        guard let telephony = connection.telephony else { return }
        let (room, logger) = (record.room, logger)
        // The session is over: nothing waits for it.
        Task {
            try? await Task.sleep(for: Self.lastAudio)
            do {
                try await telephony.hangUp(identity, room)
                logger.info("hung up", metadata: ["room": "\(room)", "participant": "\(identity)"])
            } catch {
                logger.warning("a telephone caller stays connected", metadata: ["room": "\(room)", "participant": "\(identity)", "error": "\(error)"])
            }
        }
    }

    func transfer(to target: String, _ done: @escaping @Sendable (_ problem: String?) -> Void) {
        guard let telephony = connection.telephony, let caller = speaking, caller.isPhone else {
            return done("the caller is not on a telephone")
        }
        let (room, logger) = (record.room, logger)
        // The server answers within its own deadline.
        Task {
            do throws(Telephony.Failure) {
                try await telephony.transfer(caller.identity, room, target)
                done(nil)
            } catch {
                logger.warning("a transfer failed", metadata: ["room": "\(room)", "participant": "\(caller.identity)", "error": "\(error)"])
                done(error.told)
            }
        }
    }
}

extension EndReason {
    /// Nobody goes on with the call, and its caller has nothing to stay for.
    var endsCall: Bool {
        switch self {
        case .completed, .hangUp, .clientDisconnected, .idle, .maxDuration, .failed, .protocolError: true
        case .transferred, .shutdown, .lost, .handedOver, .superseded: false
        }
    }
}

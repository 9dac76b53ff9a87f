package import Cryptography
package import LiveKitProtocol
package import SimulatedHTTP
import Telemetry

/// A LiveKit server's HTTP API on the loopback interface: it checks tokens, grants and requests as livekit-server 1.13.5 does, and knows
/// of telephony and recordings what that server's API knows. There is no media: participants join by a call of the test.
package final class LiveKitSimulator: Sendable {
    /// What the next requests meet instead of an answer, one each.
    package enum Fault: Sendable {
        /// 503, as when no node of the server takes the request.
        case unavailable
        /// A web page with this status.
        case page(Int)
        /// Status 200 and the right type, but no message.
        case garbage
        /// The connection is cut.
        case reset
        /// Never answered.
        case silence
    }

    /// A request to the API as it arrived, whatever became of it; those that met a fault are not among them.
    package struct Call: Sendable {
        /// Such as `RoomService/CreateRoom`.
        package var procedure: String
        /// Nil when there was none or it was refused.
        package var token: LiveKitAccessToken?
    }

    package static let apiKey = "devkey"
    package static let secret = Secret("a secret of simulated LiveKit servers")

    /// Its address, and the only key that it knows.
    package let credentials: LiveKitCredentials
    let state: SimulatorState
    private let server: SimulatedServer

    /// Starts to listen on the loopback interface.
    ///
    /// - Parameters:
    ///   - port: 0 for any that is free.
    ///   - sockets: served beside the API; `/agent` is where workers register.
    ///   - now: milliseconds since the epoch.
    package static func start(
        port: Int = 0, sockets: [SimulatedSocket] = [], now: @escaping @Sendable () -> Int64 = Timestamp.now
    ) async throws -> LiveKitSimulator {
        // The address is known when it listens; tokens do not depend on it.
        let key = try LiveKitCredentials(url: "ws://127.0.0.1", apiKey: apiKey, secret: secret)
        let state = SimulatorState(key, now: now)
        let server = try await SimulatedServer.start(
            port: port, makeUpgrader: { SimulatedSocket.upgrader(sockets) }, route: { state.serve($0, $1) })
        let credentials = try LiveKitCredentials(url: "ws://127.0.0.1:\(server.port)", apiKey: apiKey, secret: secret)
        return LiveKitSimulator(credentials, server, state)
    }

    private init(_ credentials: LiveKitCredentials, _ server: SimulatedServer, _ state: SimulatorState) {
        self.credentials = credentials
        self.server = server
        self.state = state
    }

    /// Closes the port and every connection.
    package func stop() async { await server.stop() }

    // MARK: What clients of the media protocol do

    /// Joins with a token as a client would, creating the room where there is none.
    @discardableResult
    package func join(_ token: String) throws -> LiveKitParticipantInfo {
        let token = try LiveKitAccessToken.verify(token, credentials: credentials, now: state.now())
        return try state.withRooms { try $0.join(token) }
    }

    package func leave(_ identity: String, room: String) throws {
        try state.withRooms { try $0.leave(identity, room: room) }
    }

    @discardableResult
    package func publish(_ source: LiveKitTrackSource, by identity: String, room: String) throws -> LiveKitTrackInfo {
        try state.withRooms { try $0.publish(source, by: identity, room: room) }
    }

    // MARK: What tests want to know and change

    /// The most recent requests, the oldest first.
    package var calls: [Call] { state.calls }
    /// Packets that were sent into rooms, the oldest first.
    package var packets: [LiveKitSendDataRequest] { state.withRooms { $0.packets } }
    /// Where callers were transferred to, by identity.
    package var transfers: [String: String] { state.withRooms { $0.transfers } }

    package func play(_ faults: [Fault]) { state.play(faults) }

    /// Numbers that do not answer.
    package func setBusy(_ numbers: Set<String>) { state.withRooms { $0.busyNumbers = numbers } }

    /// `told` hears of every dispatch when it is made, and of those made so far; an empty agent name means any agent.
    package func onDispatch(_ told: @escaping @Sendable (LiveKitAgentDispatch, LiveKitRoom) -> Void) {
        state.onDispatch(told)
    }

    /// What a dispatch is said to have led to; `job.room.name` and `job.dispatchID` say which.
    package func setJob(_ job: LiveKitJob) { state.withRooms { $0.setJob(job) } }
}

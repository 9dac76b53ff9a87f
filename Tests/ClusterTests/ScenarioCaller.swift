import CallerSimulator
import ClusterSupport
import Foundation
import Synchronization
import WebSocket

/// A caller of the scenarios, whichever way it calls.
protocol ScenarioCaller: Sendable {
    func say(_ speech: CallerSpeech) throws
    func press(_ keys: String) throws
    /// The connection is lost, and the caller connects again.
    func reconnect() async throws
    /// Goes away for good.
    func leave() throws
    /// Whatever happened, nothing is left of it.
    func stop()
}

/// The ways to call an agent.
enum Way: String, Sendable {
    case pipecat, rtvi, livekit

    /// Calls an agent.
    func call(_ agent: String, _ bed: RoomBed) async throws -> any ScenarioCaller {
        switch self {
        case .pipecat: try await WireScenarioCaller(agent, bed, path: "/v1/ws", .protobuf)
        case .rtvi: try await WireScenarioCaller(agent, bed, path: "/v1/rtvi", .json)
        case .livekit: try await RoomScenarioCaller(agent, bed)
        }
    }
}

/// A caller with a WebSocket.
final class WireScenarioCaller: ScenarioCaller {
    private let bed: RoomBed
    private let path: String
    private let framing: WireCaller.Framing
    private let caller: Mutex<WireCaller>

    init(_ agent: String, _ bed: RoomBed, path: String, _ framing: WireCaller.Framing) async throws {
        self.bed = bed
        self.path = path
        self.framing = framing
        let url = try WebSocketURL(Testbed.webSocketAddress(bed.cluster, "agent=\(agent)&resumable=true", path: path))
        let first = WireCaller(url, key: LocalCluster.apiKey, framing: framing)
        caller = Mutex(first)
        try await begin(first)
        try await first.message("bot-ready")
    }

    private func begin(_ caller: WireCaller) async throws {
        try await caller.opened()
        caller.ready()
        caller.keepListening()
    }

    private var current: WireCaller { caller.withLock { $0 } }

    func say(_ speech: CallerSpeech) { current.say(speech.samples) }
    func press(_ keys: String) { current.send("dtmf", id: "keys", ["buttons": keys.map(String.init)]) }

    func reconnect() async throws {
        let lost = current
        try await eventually("a token to come back with") { lost.state.told.contains { $0.token != nil } }
        let token = lost.state.told.compactMap(\.token).last ?? ""
        lost.abort()
        _ = try await lost.closure()
        let url = try WebSocketURL(
            Testbed.webSocketAddress(bed.cluster, "resume=\(WebSocketURL.encode(token))&resumable=true", path: path))
        let back = WireCaller(url, framing: framing)
        caller.withLock { $0 = back }
        try await begin(back)
    }

    func leave() { current.close() }
    func stop() { current.abort() }
}

/// A caller in a LiveKit room.
final class RoomScenarioCaller: ScenarioCaller {
    private let bed: RoomBed
    private let callers: RoomCallers
    private let room: String
    private let connections = Mutex(1)

    init(_ agent: String, _ bed: RoomBed) async throws {
        self.bed = bed
        callers = try bed.callers()
        room = RoomBed.room()
        try await callers.join(room, "caller1")
        _ = try await bed.session(agent, room)
    }

    private var name: String { "caller\(connections.withLock { $0 })" }

    func say(_ speech: CallerSpeech) throws { try callers.tell("say", name, ["wav": bed.recording(of: speech)]) }
    func press(_ keys: String) throws { try callers.tell("dtmf", name, ["digits": keys]) }

    /// As a page that is loaded again: the new connection puts the old one out.
    func reconnect() async throws {
        let lost = name
        connections.withLock { $0 += 1 }
        try await callers.join(room, name)
        try await callers.event("disconnected", lost)
    }

    func leave() throws { try callers.tell("leave", name) }
    func stop() { callers.stop() }
}

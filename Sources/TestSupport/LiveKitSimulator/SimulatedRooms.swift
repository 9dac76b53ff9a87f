import LiveKitProtocol

/// A LiveKit server's rooms in memory, and what its API does with them. A value without I/O; it acts as livekit-server 1.13.5.
struct SimulatedRooms: Sendable {
    struct Room: Sendable {
        var info: LiveKitRoom
        var participants: [LiveKitParticipantInfo] = []
        var dispatches: [LiveKitAgentDispatch] = []
    }

    enum News: Sendable {
        case dispatched(LiveKitAgentDispatch, LiveKitRoom)
        case deleted(LiveKitAgentDispatch)
        case left(identity: String, room: String)
    }

    static let maximumNameLength = 256
    static let maximumMetadataLength = 512 << 10
    private static let maximumPackets = 1_000

    /// By name.
    var rooms: [String: Room] = [:]
    var recordings: [LiveKitEgressInfo] = []
    /// Packets that were sent, the oldest first; no more are kept than `maximumPackets`.
    private(set) var packets: [LiveKitSendDataRequest] = []
    /// Trunks that calls can be made over.
    var trunks: Set<String> = ["ST_simulated"]
    /// Numbers that are busy.
    var busyNumbers: Set<String> = []
    /// Where callers were transferred to, by identity.
    var transfers: [String: String] = [:]
    /// What agents' workers are concerned by and have not been told yet.
    var news: [News] = []
    /// Milliseconds since the epoch.
    var now: @Sendable () -> Int64

    // MARK: RoomService

    /// A room that exists is answered as it is.
    mutating func create(_ request: LiveKitCreateRoomRequest) throws -> LiveKitRoom {
        guard request.name.utf8.count <= Self.maximumNameLength else {
            throw TwirpFailure.invalid(
                "twirp error unknown: room name length exceeds limits: max length \(Self.maximumNameLength)")
        }
        try checkMetadata(request.metadata)
        for agent in request.agents { try checkMetadata(agent.metadata) }
        if let room = rooms[request.name] { return room.info }
        ensureRoom(request.name, agents: request.agents)
        return try change(request.name, or: .noRoom) { room in
            if request.emptyTimeout > 0 { room.info.emptyTimeout = request.emptyTimeout }
            if request.departureTimeout > 0 { room.info.departureTimeout = request.departureTimeout }
            room.info.maxParticipants = request.maxParticipants
            room.info.metadata = request.metadata
            return room.info
        }
    }

    func list(_ request: LiveKitListRoomsRequest) -> LiveKitListRoomsResponse {
        let listed = rooms.values.map(\.info).filter { request.names.isEmpty || request.names.contains($0.name) }
        var response = LiveKitListRoomsResponse()
        response.rooms = listed.sorted { $0.name < $1.name }
        return response
    }

    mutating func delete(_ request: LiveKitDeleteRoomRequest) throws -> LiveKitDeleteRoomResponse {
        guard let room = rooms.removeValue(forKey: request.room) else { throw TwirpFailure.noRoom }
        news += room.dispatches.map { .deleted($0) }
        return LiveKitDeleteRoomResponse()
    }

    mutating func updateMetadata(_ request: LiveKitUpdateRoomMetadataRequest) throws -> LiveKitRoom {
        try checkMetadata(request.metadata)
        return try change(request.room, or: .noRoom) { room in
            room.info.metadata = request.metadata
            return room.info
        }
    }

    mutating func send(_ request: LiveKitSendDataRequest) throws -> LiveKitSendDataResponse {
        guard request.nonce.isEmpty || request.nonce.count == 16 else {
            throw TwirpFailure.invalid("nonce should be 16-bytes or not present, got: \(request.nonce.count) bytes")
        }
        guard rooms[request.room] != nil else { throw TwirpFailure.nobody }
        if packets.count == Self.maximumPackets { packets.removeFirst() }
        packets.append(request)
        return LiveKitSendDataResponse()
    }

    // MARK: Shared

    /// A room without agents of its own asks every agent without a name, as the server does.
    mutating func ensureRoom(_ name: String, agents: [LiveKitRoomAgentDispatch] = []) {
        guard rooms[name] == nil else { return }
        var info = LiveKitRoom()
        info.sid = makeID("RM_")
        info.name = name
        info.emptyTimeout = 300
        info.departureTimeout = 20
        info.creationTimeMs = now()
        info.creationTime = info.creationTimeMs / 1000
        rooms[name] = Room(info: info)
        for agent in agents.isEmpty ? [LiveKitRoomAgentDispatch()] : agents { addDispatch(agent, to: name) }
    }

    mutating func change<Result>(_ name: String, or failure: TwirpFailure, _ body: (inout Room) throws -> Result) throws
        -> Result
    {
        guard var room = rooms[name] else { throw failure }
        let result = try body(&room)
        room.info.numParticipants = UInt32(room.participants.count { $0.kind != .agent && $0.kind != .egress })
        room.info.numPublishers = UInt32(room.participants.count(where: \.isPublisher))
        rooms[name] = room
        return result
    }

    func checkMetadata(_ metadata: String) throws {
        guard metadata.utf8.count <= Self.maximumMetadataLength else {
            throw TwirpFailure.invalid("metadata size exceeds limits \(Self.maximumMetadataLength)")
        }
    }
}

/// An id as the server makes them: what it is of, and twelve letters and digits.
func makeID(_ prefix: String) -> String {
    let letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    return prefix + String((0..<12).map { _ in letters.randomElement() ?? "A" })
}

import Foundation

/// Rooms.
extension LiveKitServerAPI {
    /// Creates a room. One that exists is returned as it is.
    ///
    /// - Parameters:
    ///   - emptyTimeout: how long it stays before anybody joins, in whole seconds; nil for what the server is configured with.
    ///   - departureTimeout: how long it stays after everybody has left.
    ///   - maximumParticipants: agents and recorders not counted; 0 for no limit.
    ///   - agents: asked into the room.
    package func createRoom(
        _ name: String, metadata: String = "", emptyTimeout: Duration? = nil, departureTimeout: Duration? = nil,
        maximumParticipants: Int = 0, agents: [LiveKitRoomAgentDispatch] = []
    ) async throws -> LiveKitRoom {
        var request = LiveKitCreateRoomRequest()
        request.name = try Self.required(name, "the name of the room")
        request.metadata = metadata
        request.emptyTimeout = Self.seconds(emptyTimeout)
        request.departureTimeout = Self.seconds(departureTimeout)
        request.maxParticipants = UInt32(clamping: maximumParticipants)
        request.agents = agents
        return try await call(Self.rooms("CreateRoom") { $0.roomCreate = true }, request)
    }

    /// All rooms, or those of `names` that exist.
    package func listRooms(_ names: [String] = []) async throws -> [LiveKitRoom] {
        var request = LiveKitListRoomsRequest()
        request.names = names
        let response: LiveKitListRoomsResponse = try await call(Self.rooms("ListRooms") { $0.roomList = true }, request)
        return response.rooms
    }

    /// Ends a room; everybody in it is disconnected. Code `notFound` when there is none.
    package func deleteRoom(_ name: String) async throws {
        var request = LiveKitDeleteRoomRequest()
        request.room = try Self.required(name, "the name of the room")
        let _: LiveKitDeleteRoomResponse = try await call(Self.rooms("DeleteRoom") { $0.roomCreate = true }, request)
    }

    /// Replaces a room's metadata; everybody in it is told.
    package func updateRoomMetadata(_ name: String, metadata: String) async throws -> LiveKitRoom {
        var request = LiveKitUpdateRoomMetadataRequest()
        request.room = name
        request.metadata = metadata
        return try await call(Self.administration("UpdateRoomMetadata", of: name), request)
    }

    /// Sends a packet to everybody in a room, or to the participants of `identities`. It is not tried again.
    ///
    /// These are plain packets; text streams as chats use them can only be sent by participants.
    package func sendData(
        _ data: [UInt8], room: String, topic: String? = nil, to identities: [String] = [], reliably: Bool = true
    ) async throws {
        var request = LiveKitSendDataRequest()
        request.room = room
        request.data = Data(data)
        request.kind = reliably ? .reliable : .lossy
        if let topic { request.topic = topic }
        request.destinationIdentities = identities
        let _: LiveKitSendDataResponse = try await call(
            Self.administration("SendData", of: room, isIdempotent: false), request)
    }

    // MARK: Shared with the other services

    static func administration(
        _ method: String, of room: String, service: String = "RoomService", isIdempotent: Bool = true
    ) throws -> TwirpCall {
        let grant = LiveKitVideoGrant.admin(of: try required(room, "the name of the room"))
        return TwirpCall(
            service: service, method: method, grant: LiveKitAccessToken(video: grant), isIdempotent: isIdempotent)
    }

    /// The server takes empty names as such: a call about no room would succeed and do nothing.
    static func required(_ text: String, _ what: String) throws -> String {
        guard !text.isEmpty else { throw LiveKitError(.invalidArgument, "\(what) must not be empty") }
        return text
    }

    private static func rooms(_ method: String, _ allow: (inout LiveKitVideoGrant) -> Void) -> TwirpCall {
        var grant = LiveKitVideoGrant()
        allow(&grant)
        return TwirpCall(
            service: "RoomService", method: method, grant: LiveKitAccessToken(video: grant), isIdempotent: true)
    }

    private static func seconds(_ duration: Duration?) -> UInt32 { UInt32(clamping: duration?.components.seconds ?? 0) }
}

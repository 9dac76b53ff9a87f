import LiveKitProtocol
import NIOCore
import SwiftProtobuf

/// One procedure of the server API: who may call it and what it does.
struct SimulatedProcedure: Sendable {
    /// From the bytes of a request to those of the answer; both are JSON when the caller sent that.
    let run: @Sendable (ByteBuffer, _ isJSON: Bool, LiveKitAccessToken, inout SimulatedRooms) throws -> [UInt8]

    init<Request: Message, Response: Message>(
        allows: @escaping @Sendable (LiveKitAccessToken, Request) -> Bool,
        _ body: @escaping @Sendable (inout SimulatedRooms, Request) throws -> Response
    ) {
        run = { bytes, isJSON, token, rooms in
            let request: Request = try Self.decode(bytes, isJSON)
            guard allows(token, request) else { throw TwirpFailure.denied }
            let response = try body(&rooms, request)
            return isJSON ? try response.jsonUTF8Bytes() : try response.serializedBytes()
        }
    }

    private static func decode<Request: Message>(_ bytes: ByteBuffer, _ isJSON: Bool) throws -> Request {
        guard let request = try? isJSON ? decodeJSON(bytes) : Request(serializedBytes: Array(bytes.readableBytesView))
        else {
            throw TwirpFailure("malformed", "the \(isJSON ? "json" : "protobuf") request could not be decoded")
        }
        // The server would take no notice; here it means that a number is wrong, or that the simulator lacks a field.
        guard request.unknownFields.data.isEmpty else {
            throw TwirpFailure.invalid("\(Request.protoMessageName) has fields that this simulator does not know")
        }
        return request
    }

    private static func decodeJSON<Request: Message>(_ bytes: ByteBuffer) throws -> Request {
        var options = JSONDecodingOptions()
        options.ignoreUnknownFields = true
        return try Request(jsonUTF8Bytes: Array(bytes.readableBytesView), options: options)
    }
}

// MARK: Who may do what

extension LiveKitAccessToken {
    func administers(_ room: String) -> Bool { video?.roomAdmin == true && video?.room == room }
    var creates: Bool { video?.roomCreate == true }
    var lists: Bool { video?.roomList == true }
    var records: Bool { video?.roomRecord == true }
    var calls: Bool { sip?.call == true }
}

extension SimulatedProcedure {
    /// By their path below `/twirp/livekit.`.
    static let all: [String: SimulatedProcedure] = [
        "RoomService/CreateRoom": .init(allows: { token, _ in token.creates }) { try $0.create($1) },
        "RoomService/ListRooms": .init(allows: { token, _ in token.lists }) { $0.list($1) },
        "RoomService/DeleteRoom": .init(allows: { token, _ in token.creates }) { try $0.delete($1) },
        "RoomService/ListParticipants": .init(allows: { $0.administers($1.room) }) { $0.listParticipants($1) },
        "RoomService/GetParticipant": .init(allows: { $0.administers($1.room) }) { try $0.getParticipant($1) },
        "RoomService/RemoveParticipant": .init(allows: { $0.administers($1.room) }) { try $0.removeParticipant($1) },
        "RoomService/MutePublishedTrack": .init(allows: { $0.administers($1.room) }) { try $0.mute($1) },
        "RoomService/UpdateParticipant": .init(allows: { $0.administers($1.room) }) { try $0.update($1) },
        "RoomService/UpdateRoomMetadata": .init(allows: { $0.administers($1.room) }) { try $0.updateMetadata($1) },
        "RoomService/SendData": .init(allows: { $0.administers($1.room) }) { try $0.send($1) },
        "AgentDispatchService/CreateDispatch": .init(allows: { $0.administers($1.room) }) { try $0.createDispatch($1) },
        "AgentDispatchService/ListDispatch": .init(allows: { $0.administers($1.room) }) { try $0.listDispatches($1) },
        "AgentDispatchService/DeleteDispatch": .init(allows: { $0.administers($1.room) }) { try $0.deleteDispatch($1) },
        "SIP/CreateSIPParticipant": .init(allows: { token, _ in token.calls }) { try $0.dial($1) },
        "SIP/TransferSIPParticipant": .init(allows: { $0.calls && $0.administers($1.roomName) }) {
            try $0.transfer($1)
        },
        "Egress/StartRoomCompositeEgress": .init(allows: { token, _ in token.records }) { try $0.record($1) },
        "Egress/StartParticipantEgress": .init(allows: { token, _ in token.records }) { try $0.recordParticipant($1) },
        "Egress/ListEgress": .init(allows: { token, _ in token.records }) { $0.listEgress($1) },
        "Egress/StopEgress": .init(allows: { token, _ in token.records }) { try $0.stopEgress($1) },
    ]
}

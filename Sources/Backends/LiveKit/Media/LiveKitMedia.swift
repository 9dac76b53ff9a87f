package import BackendKit
package import NIOCore

/// The media half of the LiveKit backend.
package struct LiveKitMedia: RoomMedia {
    private let library: LiveKitLibrary
    private let url: String
    private let token: @Sendable (RoomGrantRecord, [String: String]) throws -> String
    private let telephony: Telephony?
    private let rooms = LiveKitFigures()

    /// - Parameters:
    ///   - url: of the server, `ws://` or `wss://`
    ///   - telephony: nil: telephone callers stay in the room when the agent leaves, and cannot be transferred
    ///   - token: makes a token with which the agent joins, with these attributes
    package init(
        library: LiveKitLibrary, url: String, telephony: Telephony? = nil,
        token: @escaping @Sendable (RoomGrantRecord, _ attributes: [String: String]) throws -> String
    ) {
        self.library = library
        self.url = url
        self.telephony = telephony
        self.token = token
    }

    package func join(_ request: RoomRequest, on eventLoop: any EventLoop, session: any RoomSession) -> any MediaPort {
        let record = RoomGrantRecord(handshake: request.handshake) ?? RoomGrantRecord(room: "", identity: "")
        let connection = LiveKitRoom.Connection(
            library: library, url: url, token: token, follow: Self.follow(request.settings), figures: rooms, telephony: telephony)
        let room = LiveKitRoom(request, record, connection, on: eventLoop, session: session)
        room.join()
        return room
    }

    private static func follow(_ settings: BackendSettings) -> RoomPeople.Follow {
        let participant = settings.text("participant")
        guard participant.isEmpty else { return .participant(participant) }
        return settings.text("follow") == "active-speaker" ? .activeSpeaker : .first
    }

    package var problem: String? { library.problem }
    package func whenBroken(_ handler: @escaping @Sendable (String) -> Void) { library.whenBroken(handler) }
    package func close() { library.close() }
    package var figures: [BackendFigure] { rooms.all(routes: library.openRoutes) }
}

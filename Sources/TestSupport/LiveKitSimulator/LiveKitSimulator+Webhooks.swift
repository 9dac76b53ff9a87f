import Cryptography
package import HTTPClient
package import LiveKitProtocol
package import NIOCore
import NIOPosix
import SwiftProtobuf
import WireCoding

extension LiveKitSimulator {
    /// A webhook as the server sends it: the body, and the headers that sign it.
    package func webhook(_ event: LiveKitWebhookEvent, withBearer: Bool = false) throws -> (
        headers: [(name: String, value: String)], body: ByteBuffer
    ) {
        let body = ByteBuffer(bytes: try event.jsonUTF8Bytes() as [UInt8])
        var token = LiveKitAccessToken()
        token.sha256 = Base64.encode(try SHA256.hash(body.readableBytesView))
        let text = try token.signed(by: credentials, lifetime: .seconds(300), now: state.now())
        return (
            [("authorization", (withBearer ? "Bearer " : "") + text), ("content-type", "application/webhook+json")],
            body
        )
    }

    /// An event that happens now, with an id of its own.
    package func event(_ kind: LiveKitWebhookEvent.Kind, room: String? = nil, participant: String? = nil)
        -> LiveKitWebhookEvent
    {
        var event = LiveKitWebhookEvent()
        event.event = kind.rawValue
        event.id = makeID("EV_")
        event.createdAt = state.now() / 1000
        state.withRooms { rooms in
            if let room { event.room = rooms.rooms[room]?.info ?? .with { $0.name = room } }
            guard let participant else { return }
            event.participant =
                rooms.rooms[room ?? ""]?.participants.first { $0.identity == participant }
                ?? .with { $0.identity = participant }
        }
        return event
    }

    /// Sends an event to whoever listens at `url` and returns the status of the answer; the server would try again unless it is 2xx.
    package func send(_ event: LiveKitWebhookEvent, to url: String, client: HTTPClient = .shared) async throws -> Int {
        let (headers, body) = try webhook(event)
        let request = HTTPRequest(
            "POST", url, headers: headers, body: body, deadlines: HTTPDeadlines(firstByte: 5_000, total: 5_000))
        return try await client.send(request, on: MultiThreadedEventLoopGroup.singleton.any()).head.status
    }
}

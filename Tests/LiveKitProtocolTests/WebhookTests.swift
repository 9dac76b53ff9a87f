import Cryptography
import LiveKitSimulator
import NIOCore
import SwiftProtobuf
import Testing
import WireCoding

@testable import LiveKitProtocol

@Suite struct WebhookTests {
    private let credentials: LiveKitCredentials

    init() throws { credentials = try makeCredentials() }

    /// A body as the server writes it, with fields that we do not know.
    private func makeBody(_ id: String = "EV_1", at seconds: Int64 = noon / 1000, event: String = "participant_left")
        -> String
    {
        #"{"event":"\#(event)","room":{"sid":"RM_1","name":"kitchen","emptyTimeout":300,"creationTime":"1795671704","turnPassword":"x","enabledCodecs":[{"mime":"audio/opus"}]},"participant":{"sid":"PA_1","identity":"anna","state":"DISCONNECTED","kind":"SIP","disconnectReason":"A_NEW_REASON","attributes":{"a":"b"}},"id":"\#(id)","createdAt":"\#(seconds)","somethingNew":{"x":[1]}}"#
    }

    private func sign(_ body: String, by signer: LiveKitCredentials? = nil, at now: Int64 = noon) throws -> String {
        var token = LiveKitAccessToken()
        token.sha256 = Base64.encode(try SHA256.hash(body.utf8))
        return try token.signed(by: signer ?? credentials, lifetime: .seconds(300), now: now)
    }

    @Test(arguments: ["", "Bearer ", "bearer "])
    func aGenuineWebhookIsAnEvent(prefix: String) throws {
        var webhook = LiveKitWebhook(credentials)
        let body = makeBody()
        let delivery = try webhook.receive(ByteBuffer(string: body), authorization: prefix + sign(body), now: noon)
        guard case .event(let event) = delivery else { return #expect(Bool(false), "\(delivery)") }
        #expect(event.kind == .participantLeft && event.id == "EV_1" && event.createdAt == noon / 1000)
        #expect(event.room.name == "kitchen" && event.room.creationTime == 1_795_671_704)
        #expect(
            event.participant.identity == "anna" && event.participant.kind == .sip
                && event.participant.attributes == ["a": "b"])
    }

    @Test func eachEventCountsOnceUnlessItIsTakenBack() throws {
        var webhook = LiveKitWebhook(credentials)
        let body = makeBody()
        let token = try sign(body)
        func receive() throws -> Bool {
            if case .event = try webhook.receive(ByteBuffer(string: body), authorization: token, now: noon) {
                true
            } else {
                false
            }
        }
        #expect(try receive())
        #expect(try !receive())
        webhook.forget("EV_1")
        #expect(try receive())
        #expect(try !receive())
    }

    @Test func aChangedBodyIsRefused() async throws {
        var webhook = LiveKitWebhook(credentials)
        let token = try sign(makeBody())
        let changed = ByteBuffer(string: makeBody().replacing("anna", with: "otto"))
        #expect(await code { _ = try webhook.receive(changed, authorization: token, now: noon) } == .bodyMismatch)
    }

    @Test func aTokenForSomethingElseIsRefused() async throws {
        var webhook = LiveKitWebhook(credentials)
        let body = ByteBuffer(string: makeBody())
        let token = try LiveKitAccessToken(identity: "anna", video: .join("kitchen")).signed(
            by: credentials, lifetime: .seconds(300), now: noon)
        #expect(await code { _ = try webhook.receive(body, authorization: token, now: noon) } == .bodyMismatch)
        #expect(await code { _ = try webhook.receive(body, authorization: nil, now: noon) } == .bodyMismatch)
        #expect(await code { _ = try webhook.receive(body, authorization: "Bearer ", now: noon) } == .malformedToken)
    }

    @Test func anotherKeyIsRefused() async throws {
        var webhook = LiveKitWebhook(credentials)
        let body = makeBody()
        let token = try sign(body, by: makeCredentials(secret: "another secret, as long as it has to be"))
        #expect(
            await code { _ = try webhook.receive(ByteBuffer(string: body), authorization: token, now: noon) }
                == .badSignature)
    }

    @Test func anOldWebhookIsRefused() async throws {
        var webhook = LiveKitWebhook(credentials)
        let body = makeBody()
        let token = try sign(body)
        #expect(
            await code { _ = try webhook.receive(ByteBuffer(string: body), authorization: token, now: noon + 361_000) }
                == .expiredToken)
        // The server signs anew each time, however old what it tells is.
        let late = try sign(body, at: noon + 700_000)
        #expect(
            await code { _ = try webhook.receive(ByteBuffer(string: body), authorization: late, now: noon + 700_000) }
                == .staleEvent)
        let early = makeBody(at: noon / 1000 + 90)
        let earlyToken = try sign(early)
        #expect(
            await code { _ = try webhook.receive(ByteBuffer(string: early), authorization: earlyToken, now: noon) }
                == .staleEvent)
    }

    @Test(arguments: [
        "", "no JSON", "[]", "{}", #"{"event":"x","id":"","createdAt":"1795000000"}"#,
        #"{"event":"x","id":"a","createdAt":"9223372036854775807"}"#, #"{"event":7}"#,
    ])
    func aSignedBodyThatIsNoEventIsRefused(body: String) async throws {
        var webhook = LiveKitWebhook(credentials)
        let token = try sign(body)
        #expect(
            await code { _ = try webhook.receive(ByteBuffer(string: body), authorization: token, now: noon) }
                == .malformedEvent)
    }

    @Test func anEventOfALaterServerHasNoKind() throws {
        var webhook = LiveKitWebhook(credentials)
        let body = makeBody(event: "room_painted")
        guard
            case .event(let event) = try webhook.receive(ByteBuffer(string: body), authorization: sign(body), now: noon)
        else {
            return #expect(Bool(false))
        }
        #expect(event.kind == nil && event.event == "room_painted")
    }
}

@Suite struct RecentIDsTests {
    private final class IDs {
        var ids: RecentIDs
        init(capacity: Int) { ids = RecentIDs(capacity: capacity) }
        func insert(_ id: String, at time: Int64, forgettingBefore limit: Int64 = 0) -> Bool {
            ids.insert(id, at: time, forgettingBefore: limit)
        }
    }

    @Test func theOldestAreForgottenBeyondTheBound() {
        let ids = IDs(capacity: 3)
        for (time, id) in ["a", "b", "c", "d"].enumerated() { #expect(ids.insert(id, at: Int64(time))) }
        #expect(ids.ids.count == 3)
        #expect(!ids.insert("b", at: 4))
        #expect(ids.insert("a", at: 4))
    }

    @Test func theyAreForgottenInTime() {
        let ids = IDs(capacity: 10)
        #expect(ids.insert("a", at: 0))
        #expect(!ids.insert("a", at: 10))
        #expect(ids.insert("a", at: 20, forgettingBefore: 1))
    }

    @Test func whatIsRemovedAndComesAgainIsKept() {
        let ids = IDs(capacity: 10)
        #expect(ids.insert("a", at: 0))
        ids.ids.remove("a")
        #expect(ids.insert("a", at: 5))
        #expect(!ids.insert("a", at: 6, forgettingBefore: 1))
    }

    @Test func itDoesNotGrow() {
        var ids = RecentIDs(capacity: 100)
        for time in 0..<50_000 {
            _ = ids.insert("id \(time)", at: Int64(time), forgettingBefore: 0)
            if time.isMultiple(of: 2) { ids.remove("id \(time)") }
        }
        #expect(ids.count <= 100)
    }
}

import Cryptography
import Foundation
import LiveKitSimulator
import NIOCore
import Testing
import WireCoding

@testable import LiveKitProtocol

/// LiveKit's own Python SDK, unmodified, judges our tokens, webhooks and simulator.
@Suite(.enabled(if: VendorSDK.python != nil, "PARLEY_TEST_PYTHON is not set"), .timeLimit(.minutes(2)))
struct VendorSDKTests {
    @Test func ourMessagesAreTheirs() async throws {
        let proto = VendorSDK.root.appending(path: "Sources/Backends/LiveKit/Protocol/Protos/livekit.proto").path
        #expect(try await VendorSDK.check(["fields", proto], makeCredentials()).hasSuffix("OK\n"))
    }

    @Test func theyReadOurTokens() async throws {
        let credentials = try makeCredentials()
        let token = try AccessTokenTests.makeFull().signed(by: credentials, lifetime: .seconds(60), now: wallClock())
        let claims = try JSONDocument(try await VendorSDK.check(["read", token], credentials)).root
        #expect(
            claims["identity"].equals("agent-1") && claims["name"].string == "Ünïcode \"quoted\""
                && claims["kind"].equals("agent"))
        #expect(claims["metadata"].string == #"{"a": [1, "}"]}"# && claims["sha256"].equals("abc="))
        #expect(claims["attributes"].members.map(\.key) == ["b", "lk.agent.state"])
        let video = claims["video"]
        for name in [
            "room_join", "room_admin", "room_record", "can_publish", "can_publish_data", "can_update_own_metadata",
            "hidden", "agent", "ingress_admin",
        ] {
            #expect(video[member: name].bool == true, "\(name)")
        }
        #expect(video["can_subscribe"].bool == false && video["room"].equals("kitchen") && video["room_list"].isNull)
        #expect(video["can_publish_sources"].elements.map(\.string) == ["microphone", "screen_share_audio"])
        #expect(claims["sip"]["admin"].bool == true && claims["sip"]["call"].bool == true)
        #expect(
            claims["agents"][0][0].equals("sales") && claims["agents"][0][1].equals("{}")
                && claims["agents"][0][2]["k"].equals("v"))
        #expect(claims["agents"].elements.count == 2)
    }

    @Test func theyRefuseATokenOfAnotherSecret() async throws {
        let token = try AccessTokenTests.makeFull().signed(
            by: makeCredentials(), lifetime: .seconds(60), now: wallClock())
        let other = try makeCredentials(secret: "another secret, as long as it has to be")
        await #expect(throws: VendorSDK.Failure.self) { try await VendorSDK.check(["read", token], other) }
    }

    @Test func weReadTheirTokens() async throws {
        let credentials = try makeCredentials()
        let text = try await VendorSDK.check(["mint"], credentials).trimmingCharacters(in: .whitespacesAndNewlines)
        let token = try LiveKitAccessToken.verify(text, credentials: credentials, now: wallClock())
        #expect(
            token.identity == "anna" && token.name == "Anna" && token.kind == .agent && token.metadata == "{}"
                && token.attributes == ["a": "b"])
        var video = LiveKitVideoGrant.join("kitchen")
        video.canPublish = false
        video.canSubscribe = true
        video.canPublishData = true
        video.canPublishSources = [.microphone]
        video.canUpdateOwnMetadata = true
        video.agent = true
        #expect(token.video == video && token.sip == LiveKitSIPGrant(call: true) && token.sha256 == "abc=")
        #expect(token.agents == [LiveKitRoomAgentDispatch(agentName: "cook", metadata: "m", attributes: ["k": "v"])])
    }

    @Test func theyUnderstandTheSimulator() async throws {
        try await withSimulator { simulator, _ in
            try simulator.join("anna", room: "peers")
            try simulator.publish(.microphone, by: "anna", room: "peers")
            #expect(
                try await VendorSDK.check(["api", simulator.credentials.url.http], simulator.credentials).hasSuffix(
                    "OK\n"))
            #expect(simulator.packets.map(\.topic) == ["t"] && simulator.transfers == ["otto": "tel:+49303"])
        }
    }
}

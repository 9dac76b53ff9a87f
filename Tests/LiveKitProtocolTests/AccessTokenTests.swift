import Cryptography
import Testing

@testable import LiveKitProtocol

@Suite struct AccessTokenTests {
    /// One with everything in it.
    static func makeFull() -> LiveKitAccessToken {
        var video = LiveKitVideoGrant.join("kitchen")
        video.roomAdmin = true
        video.canPublish = true
        video.canSubscribe = false
        video.canPublishData = true
        video.canPublishSources = [.microphone, .screenShareAudio]
        video.canUpdateOwnMetadata = true
        video.hidden = true
        video.agent = true
        video.ingressAdmin = true
        video.roomRecord = true
        var token = LiveKitAccessToken(identity: "agent-1", video: video, sip: LiveKitSIPGrant(admin: true, call: true))
        token.name = "Ünïcode \"quoted\""
        token.metadata = #"{"a": [1, "}"]}"#
        token.attributes = ["lk.agent.state": "listening", "b": ""]
        token.kind = .agent
        token.sha256 = "abc="
        token.agents = [
            LiveKitRoomAgentDispatch(agentName: "sales", metadata: "{}", attributes: ["k": "v"]),
            LiveKitRoomAgentDispatch(agentName: "other"),
        ]
        return token
    }

    @Test func whatIsSignedIsRead() throws {
        let credentials = try makeCredentials()
        let text = try Self.makeFull().signed(by: credentials, lifetime: .seconds(60), now: noon)
        var read = try LiveKitAccessToken.verify(text, credentials: credentials, now: noon)
        #expect(read.expiry == noon + 60_000)
        read.expiry = nil
        #expect(read == Self.makeFull())
    }

    @Test func aTokenHoldsNoMoreThanItSays() throws {
        let text = try LiveKitAccessToken(identity: "anna", video: .join("kitchen"))
            .signed(by: makeCredentials(), lifetime: .seconds(60), now: noon)
        let claims = try #require(Base64URL.decode(text.split(separator: ".")[1]))
        #expect(
            String(decoding: claims, as: UTF8.self)
                == #"{"iss":"APIabc","sub":"anna","nbf":1795000000,"exp":1795000060,"video":{"roomJoin":true,"room":"kitchen"}}"#
        )
    }

    @Test(arguments: ["", "a.b", "a.b.c.d", "eyJhbGciOiJIUzI1NiJ9.e30", "..", String(repeating: "a", count: 70_000)])
    func whatIsNoTokenIsRefused(text: String) async throws {
        let credentials = try makeCredentials()
        #expect(
            await code { _ = try LiveKitAccessToken.verify(text, credentials: credentials, now: noon) }
                == .malformedToken)
    }

    @Test func aTokenSignedWithAnythingButHS256IsRefused() async throws {
        let credentials = try makeCredentials()
        let claims = Base64URL.encode(#"{"iss":"APIabc","exp":1795000060}"#.utf8)
        for algorithm in ["none", "HS384", "RS256"] {
            let signed = Base64URL.encode(#"{"alg":"\#(algorithm)"}"#.utf8) + "." + claims
            let signature = Base64URL.encode(try HMACSHA256.authenticate(signed.utf8, key: credentials.secret))
            for text in [signed + "." + signature, signed + "."] {
                #expect(
                    await code { _ = try LiveKitAccessToken.verify(text, credentials: credentials, now: noon) }
                        == .malformedToken)
            }
        }
    }

    @Test func aChangedTokenIsRefused() async throws {
        let credentials = try makeCredentials()
        let text = try Self.makeFull().signed(by: credentials, lifetime: .seconds(60), now: noon)
        let parts = text.split(separator: ".").map(String.init)
        let claims = try #require(Base64URL.decode(parts[1]))
        let changed = Base64URL.encode(
            String(decoding: claims, as: UTF8.self).replacing("kitchen", with: "cellar").utf8)
        #expect(
            await code {
                _ = try LiveKitAccessToken.verify(
                    "\(parts[0]).\(changed).\(parts[2])", credentials: credentials, now: noon)
            }
                == .badSignature)
        let signature = String(parts[2].reversed())
        let outcome = await code {
            _ = try LiveKitAccessToken.verify(
                "\(parts[0]).\(parts[1]).\(signature)", credentials: credentials, now: noon)
        }
        #expect(outcome == .badSignature || outcome == .malformedToken)
        let short = await code {
            _ = try LiveKitAccessToken.verify("\(parts[0]).\(parts[1]).", credentials: credentials, now: noon)
        }
        #expect(short == .badSignature)
    }

    @Test func aTokenOfAnotherKeyIsRefused() async throws {
        let text = try Self.makeFull().signed(by: makeCredentials(), lifetime: .seconds(60), now: noon)
        let otherKey = try makeCredentials(key: "APIother")
        #expect(await code { _ = try LiveKitAccessToken.verify(text, credentials: otherKey, now: noon) } == .wrongKey)
        let otherSecret = try makeCredentials(secret: "another secret, as long as it has to be")
        #expect(
            await code { _ = try LiveKitAccessToken.verify(text, credentials: otherSecret, now: noon) } == .badSignature
        )
    }

    @Test func aTokenHasItsTimeWithAMinuteOfLeeway() async throws {
        let credentials = try makeCredentials()
        let text = try Self.makeFull().signed(by: credentials, lifetime: .seconds(300), now: noon)
        func outcome(at seconds: Int64) async -> LiveKitError.Code? {
            await code { _ = try LiveKitAccessToken.verify(text, credentials: credentials, now: noon + seconds * 1000) }
        }
        #expect(await outcome(at: -61) == .prematureToken)
        #expect(await outcome(at: -60) == nil)
        #expect(await outcome(at: 359) == nil)
        #expect(await outcome(at: 360) == .expiredToken)
    }

    @Test func aTokenWithoutExpiryIsRefused() async throws {
        let credentials = try makeCredentials()
        let text = try JSONWebToken.sign(#"{"iss":"APIabc","sub":"x"}"#, secret: credentials.secret)
        #expect(
            await code { _ = try LiveKitAccessToken.verify(text, credentials: credentials, now: noon) }
                == .malformedToken)
    }

    @Test func oddClaimsAreNoDanger() throws {
        let credentials = try makeCredentials()
        let text = try JSONWebToken.sign(
            #"{"iss":"APIabc","sub":7,"exp":1e300,"nbf":-1e300,"kind":"ALIEN","attributes":[1],"video":{"room":3,"roomJoin":"true","canPublishSources":["x",2]},"roomConfig":{"agents":"no"}}"#,
            secret: credentials.secret)
        let token = try LiveKitAccessToken.verify(text, credentials: credentials, now: noon)
        #expect(token.identity == "" && token.kind == .standard && token.attributes.isEmpty && token.agents.isEmpty)
        #expect(token.video?.roomJoin == false && token.video?.canPublishSources == [.unknown])
    }

    @Test func joiningNeedsRoomAndIdentity() async throws {
        let credentials = try makeCredentials()
        for token in [
            LiveKitAccessToken(identity: "", video: .join("kitchen")),
            LiveKitAccessToken(identity: "anna", video: .join("")),
        ] {
            #expect(
                await code { _ = try token.signed(by: credentials, lifetime: .seconds(60), now: noon) }
                    == .invalidArgument)
        }
    }
}

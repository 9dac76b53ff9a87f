import Cryptography
import LiveKitProtocol
import ServiceSupport
import Testing

@Suite struct CredentialsTests {
    @Test(arguments: [
        ("ws://127.0.0.1:7880", "http://127.0.0.1:7880", "ws://127.0.0.1:7880"),
        ("wss://project.livekit.cloud/", "https://project.livekit.cloud", "wss://project.livekit.cloud"),
        ("http://[::1]:80", "http://[::1]:80", "ws://[::1]:80"),
        ("HTTPS://example.com/livekit//", "https://example.com/livekit", "wss://example.com/livekit"),
    ])
    func aURLIsGoodForBothProtocols(text: String, http: String, webSocket: String) throws {
        let url = try LiveKitURL(text)
        #expect(url.http == http && url.webSocket == webSocket)
    }

    @Test(arguments: [
        "", "127.0.0.1:7880", "ftp://example.com", "wss://", "wss:///path", "wss://example.com?x=1",
        "wss://example.com#x", "wss://exa mple.com",
    ])
    func aBadURLIsRefusedWithAnExample(text: String) async {
        #expect(await code { _ = try LiveKitURL(text) } == .invalidCredentials)
        #expect(await message { _ = try LiveKitURL(text) }.contains("ws://127.0.0.1:7880"))
    }

    @Test func aPasswordInAURLIsNotRepeated() async {
        let text = await message { _ = try LiveKitURL("wss://user:hunter2@example.com") }
        #expect(text.contains("password") && !text.contains("hunter2"))
    }

    @Test func theSecretIsNeverShown() throws {
        let credentials = try makeCredentials()
        var dumped = ""
        dump(credentials, to: &dumped)
        #expect(!"\(credentials) \(String(reflecting: credentials)) \(dumped)".contains("secretsecret"))
    }

    @Test func emptyKeysAreRefused() async {
        #expect(
            await code { _ = try LiveKitCredentials(url: "ws://x", apiKey: "", secret: Secret("s")) }
                == .invalidCredentials)
        #expect(
            await code { _ = try LiveKitCredentials(url: "ws://x", apiKey: "k", secret: Secret("")) }
                == .invalidCredentials)
    }

    @Test func aServiceMayRunWithoutLiveKitButNotWithHalfOfIt() throws {
        func read(_ variables: [String: String]) throws -> LiveKitCredentials? {
            try .ifConfigured(
                ServiceEnvironment(LiveKitCredentials.optionalDeclarations, from: variables) { _ in "from a file\n" })
        }
        #expect(try read([:]) == nil)
        let all = try read([
            "LIVEKIT_URL": "ws://x", "LIVEKIT_API_KEY": "k", "LIVEKIT_API_SECRET_FILE": "/run/secrets/x",
        ])
        #expect(all?.secret == Secret("from a file") && all?.url.http == "http://x")
        let error = #expect(throws: ConfigurationError.self) { try read(["LIVEKIT_URL": "ws://x"]) }
        #expect(error?.problems.map(\.variable) == ["LIVEKIT_API_KEY", "LIVEKIT_API_SECRET"])
    }
}

import HTTPClient
import RateLimits
import Testing

@testable import DispatcherService

/// The HTTP API over a real socket.
@Suite(.timeLimit(.minutes(1))) struct PublicAPITests {
    @Test func connectGivesATokenForOneCall() async throws {
        let cluster = Cluster()
        try await RunningDispatcher.run(cluster) { dispatcher in
            let answer = try await dispatcher.send(
                "POST", "/v1/connect", body: #"{"agent":"tea","parameters":{"a":"b"}}"#)
            #expect(answer.status == 200)
            #expect(answer.headers.header("content-type") == "application/json")
            let base = "ws://127.0.0.1:\(dispatcher.port)"
            #expect(
                answer.text
                    == #"{"expires_in_seconds":60,"token":"pct_1","url":"\#(base)/v1/ws?token=pct_1","urls":["\#(base)/v1/ws?token=pct_1","\#(base)/ws-client?token=pct_1"]}"#
            )
            #expect(try await cluster.tokens.redeem("pct_1").parameters == ["a": "b"])
        }
    }

    @Test func agentsAreThoseOfTheTenant() async throws {
        try await RunningDispatcher.run(Cluster()) { dispatcher in
            let answer = try await dispatcher.send("GET", "/v1/agents")
            #expect(answer.status == 200)
            #expect(answer.text == #"{"agents":[{"hash":"h-tea","name":"tea"}]}"#)
        }
    }

    @Test(arguments: [("POST", "/v1/connect"), ("GET", "/v1/agents")])
    func aMissingOrWrongKeyIsRefused(_ method: String, _ path: String) async throws {
        try await RunningDispatcher.run(Cluster()) { dispatcher in
            for (key, code) in [(nil, "missing_credentials"), ("parley_stolen", "bad_key")] as [(String?, String)] {
                let body = method == "POST" ? "not even JSON" : nil
                let answer = try await dispatcher.send(method, path, key: key, body: body)
                #expect(answer.status == 401)
                #expect(answer.text.contains(#""code":"\#(code)""#))
            }
        }
    }

    @Test(
        arguments: [
            ("GET", "/v1/connect", 405, "POST"), ("DELETE", "/v1/agents", 405, "GET"), ("GET", "/v1/agent", 404, nil),
        ] as [(String, String, Int, String?)])
    func whatNoRouteTakesIsToldWhatThereIs(_ method: String, _ path: String, _ status: Int, _ allowed: String?)
        async throws
    {
        try await RunningDispatcher.run(Cluster()) { dispatcher in
            let answer = try await dispatcher.send(method, path)
            #expect(answer.status == status)
            #expect(answer.headers.header("allow") == allowed)
            #expect(answer.text.hasPrefix(#"{"error":{"code":"#))
        }
    }

    @Test(arguments: ["", "[]", #"{"agents":"tea"}"#, #"{"agent":1}"#, "{"]) func aBodyThatMakesNoSenseIsRefused(
        _ body: String
    ) async throws {
        try await RunningDispatcher.run(Cluster()) { dispatcher in
            let answer = try await dispatcher.send("POST", "/v1/connect", body: body)
            #expect(answer.status == 400)
            #expect(answer.text.contains("the body must be JSON like"))
        }
    }

    @Test func anOversizeBodyIsRefused() async throws {
        try await RunningDispatcher.run(Cluster()) { dispatcher in
            let padding = String(repeating: "x", count: 80 << 10)
            let answer = try await dispatcher.send(
                "POST", "/v1/connect", body: #"{"agent":"tea","parameters":{"a":"\#(padding)"}}"#)
            #expect(answer.status == 400)
            #expect(answer.text.contains("the body is larger than 65536 bytes"))
        }
    }

    @Test func anUnknownAgentIsRefused() async throws {
        try await RunningDispatcher.run(Cluster()) { dispatcher in
            let answer = try await dispatcher.send("POST", "/v1/connect", body: #"{"agent":"coffee"}"#)
            #expect(answer.status == 404)
            #expect(
                answer.text == #"{"error":{"code":"unknown_agent","message":"there is no agent 'coffee'; known: tea"}}"#
            )
        }
    }

    @Test func tokensThatCannotBeStoredAreA503WithAWait() async throws {
        let cluster = Cluster()
        cluster.tokens.isAway = true
        try await RunningDispatcher.run(cluster) { dispatcher in
            let answer = try await dispatcher.send("POST", "/v1/connect", body: #"{"agent":"tea"}"#)
            #expect(answer.status == 503)
            #expect(answer.headers.header("retry-after") == "2")
            #expect(answer.text.contains(#""code":"unavailable""#))
        }
    }

    @Test func whoAsksTooOftenIsToldWhenToComeBack() async throws {
        let store = FakeLimits()
        var cluster = Cluster()
        cluster.limits = .over(store, CallerLimitSettings(key: RateLimit(perSecond: 1, burst: 2)))
        try await RunningDispatcher.run(cluster) { dispatcher in
            for _ in 0..<2 { #expect(try await dispatcher.send("GET", "/v1/agents").status == 200) }
            let answer = try await dispatcher.send("POST", "/v1/connect", body: #"{"agent":"tea"}"#)
            #expect(answer.status == 429)
            #expect(answer.headers.header("retry-after") == "3")
            #expect(answer.text.contains("too many connections of API key k1: 60 per minute; try again in 3 s"))
        }
    }

    @Test func aProxyIsBelievedOnlyWhereItIsTrusted() async throws {
        let store = FakeLimits()
        var cluster = Cluster()
        cluster.limits = .over(store, CallerLimitSettings(address: RateLimit(perSecond: 1, burst: 100)))
        let header = [(name: "X-Forwarded-For", value: "203.0.113.7")]
        try await RunningDispatcher.run(cluster) { dispatcher in
            _ = try await dispatcher.send("GET", "/v1/agents", headers: header)
            _ = try await dispatcher.send("GET", "/v1/agents", key: "parley_stolen", headers: header)
        }
        #expect(store.taken(of: .address("127.0.0.1")) == 2)
        let trusted = try #require(AddressBlock("127.0.0.0/8"))
        try await RunningDispatcher.run(cluster, trustedProxies: [trusted]) { dispatcher in
            _ = try await dispatcher.send("GET", "/v1/agents", headers: header)
        }
        #expect(store.taken(of: .address("203.0.113.7")) == 1)
    }
}

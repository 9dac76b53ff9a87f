import Telemetry
import Testing
import WebSocket

@testable import DispatcherService

/// WebSocket callers that are not let in: close code, reason and an RTVI error say why.
@Suite(.timeLimit(.minutes(1))) struct CallerRefusalTests {
    private func expectRefusal(
        _ cluster: Cluster, _ path: String, key: String? = nil, _ code: UInt16, _ reason: String,
        metric: AdmissionError.Code
    ) async throws {
        try await RunningDispatcher.run(cluster) { dispatcher in
            let (told, closure) = try await dispatcher.call(path, key: key)
            #expect(closure.code.rawValue == code)
            #expect(closure.reason.hasPrefix(reason))
            #expect(told.contains(#""fatal":true"#))
            #expect(told.contains(reason))
            #expect(
                dispatcher.metrics.value("parley_dispatcher_refusals_total", labels: ["code": metric.rawValue]) == 1)
        }
    }

    @Test func nobodyGetsInWithoutACredential() async throws {
        try await expectRefusal(
            Cluster(), "/v1/ws", 4003, "missing_credentials: connect with", metric: .missingCredentials)
    }

    @Test func aBadKeyIsRefused() async throws {
        try await expectRefusal(Cluster(), "/v1/ws?agent=tea", key: "parley_stolen", 4003, "bad_key", metric: .badKey)
    }

    @Test func anUnknownTokenIsRefused() async throws {
        try await expectRefusal(Cluster(), "/v1/ws?token=pct_9", 4003, "bad_token", metric: .badToken)
    }

    @Test func aReusedTokenIsRefused() async throws {
        let cluster = Cluster()
        let token = try await cluster.admission.connect(key: FakeDirectory.key, agent: "tea", parameters: [:])
        _ = try await cluster.tokens.redeem(token)
        try await expectRefusal(cluster, "/v1/ws?token=\(token)", 4003, "used_token", metric: .usedToken)
    }

    @Test func anUnknownAgentIsRefused() async throws {
        try await expectRefusal(
            Cluster(), "/v1/ws?agent=coffee", key: FakeDirectory.key, 4004, "unknown_agent: there is no agent 'coffee'",
            metric: .unknownAgent)
    }

    @Test func aFullClusterSaysSo() async throws {
        let cluster = Cluster()
        cluster.workers.fail(with: AdmissionError(.full, "all media workers are full"))
        try await expectRefusal(
            cluster, "/v1/ws?agent=tea", key: FakeDirectory.key, 1013, "full: all media workers", metric: .full)
    }

    @Test func aStoreThatIsAwayMeansTryAgain() async throws {
        let cluster = Cluster()
        cluster.store.fail(with: Cluster.Away())
        try await expectRefusal(
            cluster, "/v1/ws?agent=tea", key: FakeDirectory.key, 1013, "unavailable: the service cannot take calls now",
            metric: .unavailable)
    }

    @Test func aWorkerThatDoesNotAnswerMeansTryAgain() async throws {
        try await expectRefusal(
            Cluster(), "/v1/ws?agent=tea", key: FakeDirectory.key, 1013, "unavailable: the worker that was chosen",
            metric: .unavailable)
    }

    @Test func aDispatcherThatIsLeavingSendsCallersElsewhere() async throws {
        try await RunningDispatcher.run(Cluster()) { dispatcher in
            dispatcher.core.drain()
            let (_, closure) = try await dispatcher.call("/v1/ws?agent=tea", key: FakeDirectory.key)
            #expect(closure.code.rawValue == 1012)
        }
    }

    @Test func anotherPathIsNoWebSocket() async throws {
        try await RunningDispatcher.run(Cluster()) { dispatcher in
            let (_, closure) = try await dispatcher.call("/v2/ws")
            #expect(closure.error?.refusal?.status == 404)
        }
    }

    @Test func aTenantWithTooManySessionsIsRefused() async throws {
        var cluster = Cluster()
        cluster.limits = .over(FakeLimits(), CallerLimitSettings(tenantSessions: 0))
        try await expectRefusal(
            cluster, "/v1/ws?agent=tea", key: FakeDirectory.key, 4029,
            "rate_limited: too many sessions of tenant acme: at most 0 at the same time", metric: .rateLimited)
    }
}

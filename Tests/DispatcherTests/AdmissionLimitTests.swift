import Placement
import RateLimits
import Telemetry
import Testing

@testable import DispatcherService

extension CallerLimits {
    static func over(_ store: FakeLimits, _ settings: CallerLimitSettings) -> CallerLimits {
        CallerLimits(settings, shared: SharedLimits(store, patience: .seconds(60), metrics: MetricsRegistry()))
    }
}

/// What limits count, and what placement is asked for.
@Suite(.timeLimit(.minutes(1))) struct AdmissionLimitTests {
    private let store = FakeLimits()
    private let plenty = RateLimit(perSecond: 100, burst: 100)

    private func cluster(_ settings: CallerLimitSettings? = nil) -> Cluster {
        var cluster = Cluster()
        let all = CallerLimitSettings(address: plenty, key: plenty, tenant: plenty, keySessions: 2, tenantSessions: 3)
        cluster.limits = .over(store, settings ?? all)
        return cluster
    }

    private func request(_ credential: String?) -> Admission.Request {
        .init(credential: credential, agent: "tea", backend: "pipecat", address: "192.0.2.1")
    }

    private func taken() -> [Double] {
        [.address("192.0.2.1"), .key("k1"), .tenant("acme")].map { store.taken(of: $0) }
    }

    @Test func aKeyCountsForItsAddressItselfAndItsTenant() async throws {
        let cluster = cluster()
        _ = try await cluster.admission.admit(request(FakeDirectory.key))
        #expect(taken() == [1, 1, 1])
    }

    @Test(arguments: ["parley_stolen", "pct_9", nil]) func badCredentialsCountForTheirAddress(_ credential: String?)
        async throws
    {
        let cluster = cluster()
        await #expect(throws: AdmissionError.self) { _ = try await cluster.admission.admit(request(credential)) }
        #expect(taken() == [1, 0, 0])
    }

    @Test func aTokenIsCountedForItsKeyWhenItIsMade() async throws {
        let cluster = cluster()
        let admission = cluster.admission
        _ = try await admission.authenticate(key: FakeDirectory.key, address: "192.0.2.9")
        let token = try await admission.connect(key: FakeDirectory.key, agent: "tea", parameters: [:])
        let admitted = try await admission.admit(request(token))
        #expect(taken() == [1, 1, 1])
        // The place among the key's sessions is the token's too.
        #expect(admitted.key == "k1")
        #expect(store.held(of: .key("k1")).count == 1)
    }

    @Test func anAddressThatIsRefusedUsesNoToken() async throws {
        let cluster = cluster(.init(address: RateLimit(perSecond: 1, burst: 1)))
        let admission = cluster.admission
        let token = try await admission.connect(key: FakeDirectory.key, agent: "tea", parameters: [:])
        _ = try? await admission.admit(request("parley_stolen"))
        let error = await #expect(throws: AdmissionError.self) { _ = try await admission.admit(request(token)) }
        #expect(error?.code == .rateLimited)
        #expect(error?.closeCode == 4029)
        #expect(error?.retryAfterSeconds == 3)
        _ = try await cluster.tokens.redeem(token)
    }

    @Test func aSessionHoldsItsPlaceUntilNobodyHasItsCaller() async throws {
        let cluster = cluster()
        let admission = cluster.admission
        var first: Admission.Admitted? = try await admission.admit(request(FakeDirectory.key))
        let second = try await admission.admit(request(FakeDirectory.key))
        let error = await #expect(throws: AdmissionError.self) {
            _ = try await admission.admit(request(FakeDirectory.key))
        }
        #expect(error?.message.contains("too many sessions of API key k1") == true)
        #expect(first?.session == "s-1")
        first = nil
        let limits = try #require(cluster.limits)
        try await untilTold(limits) { store.held(of: .tenant("acme")) == ["s-2"] }
        _ = try await admission.admit(request(FakeDirectory.key))
        _ = second
    }

    @Test func anAdmissionThatFailsGivesEverythingBack() async throws {
        let cluster = cluster()
        cluster.store.fail(with: Cluster.Away())
        await #expect(throws: Cluster.Away.self) { _ = try await cluster.admission.admit(request(FakeDirectory.key)) }
        #expect(cluster.workers.givenUp == ["r-1"])
        try await untilTold(try #require(cluster.limits)) { store.held(of: .tenant("acme")).isEmpty }
    }

    @Test func aSessionThatComesBackHasItsPlaceAlready() async throws {
        let limits = try #require(cluster().limits)
        let old = try await limits.place(session: "s-1", tenant: "acme", key: "k1")
        let new = try await limits.place(session: "s-1", tenant: "acme", key: "k1")
        old.release()
        #expect(store.held(of: .key("k1")) == ["s-1"])
        _ = new
    }

    /// Runs the limits until what was given back has arrived.
    private func untilTold(_ limits: CallerLimits, _ condition: @escaping @Sendable () -> Bool) async throws {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await limits.run() }
            while !condition() { await Task.yield() }
            group.cancelAll()
        }
    }

    // MARK: Placement

    private func placed(_ definition: String, others: [AgentVersion] = []) async throws -> PlacementRequest {
        var cluster = Cluster()
        cluster.directory.others = [AgentVersion(name: "agent", hash: "h-agent", definition: definition)] + others
        let request = Admission.Request(credential: FakeDirectory.key, agent: "agent", backend: "pipecat")
        let admitted = try await cluster.admission.admit(request)
        let asked = try #require(cluster.workers.asked.first)
        #expect(admitted.place.weight == asked.weight)
        return asked
    }

    @Test func anAgentWithARemoteRecogniserWeighsOne() async throws {
        let asked = try await placed("agent: agent\npipeline: {stt: deepgram/nova-3, llm: openai/x}\n")
        #expect(asked == PlacementRequest(weight: 1, region: "eu1", labels: ["backend:pipecat"]))
    }

    @Test func aRecogniserInTheWorkerWeighsTwentyTimesAsMuch() async throws {
        #expect(try await placed("agent: agent\npipeline: {stt: local/pocketsphinx, llm: openai/x}\n").weight == 20)
    }

    @Test func anAgentMayNameItsWeightAndLabels() async throws {
        let asked = try await placed(
            "agent: agent\npipeline: {llm: openai/x}\nplacement: {labels: [gpu, large], weight: 0.5}\n")
        #expect(asked == PlacementRequest(weight: 0.5, region: "eu1", labels: ["gpu", "large", "backend:pipecat"]))
    }

    @Test func aSessionWeighsAsMuchAsTheHeaviestAgentThatMayHaveIt() async throws {
        let other = AgentVersion(
            name: "other", hash: "h-other",
            definition: "agent: other\npipeline: {stt: local/pocketsphinx, llm: openai/x}\nplacement: {labels: gpu}\n")
        let asked = try await placed(
            "agent: agent\npipeline: {stt: deepgram/nova-3, llm: openai/x}\nhand_off_to: {other: always}\n",
            others: [other])
        #expect(asked == PlacementRequest(weight: 20, region: "eu1", labels: ["gpu", "backend:pipecat"]))
    }
}

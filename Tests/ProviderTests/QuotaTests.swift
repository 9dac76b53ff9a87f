import Conversation
import Foundation
import Logging
import NIOCore
import ProviderSupport
import RateLimits
import RedisClient
import Telemetry
import Testing

/// Providers that take quota before they are called.
@Suite(.timeLimit(.minutes(1))) struct QuotaTests {
    private let store = CountingLimits()
    private let provider = QuietProvider("openai/gpt-4o-mini")

    /// Runs `body` with what the operator allows, and with what keeps leases going.
    private func with(
        _ limits: VendorQuota, vendor: String = "openai", over other: (any LimitStore)? = nil,
        _ body: @escaping @Sendable (ProviderQuota) async throws -> Void
    ) async throws {
        let shared = SharedLimits(other ?? store, patience: .seconds(20), metrics: MetricsRegistry())
        let quota = ProviderQuota([vendor: limits], shared: shared, worker: "w-\(UUID().uuidString)", localShare: 0.5)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await quota.run() }
            try await body(quota)
            group.cancelAll()
        }
    }

    private func until(_ condition: @Sendable () async throws -> Bool) async throws {
        while !(try await condition()) { await Task.yield() }
    }

    private func onLoop<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await loop.submit(body).get()
    }

    private var request: GenerationRequest {
        // Eight words that are counted as tokens, and at most 100 in the answer.
        GenerationRequest(
            session: "s", instructions: "You are brief and friendly, and you are polite.", context: ChatContext(),
            maxOutputTokens: 100)
    }

    // MARK: Language models

    /// Starts a generation; what it says comes to the log.
    private func generate(
        _ model: any LanguageModel, speculative: Bool = false
    ) async throws -> (EventLog<GenerationEvent>, OnLoop<any Generation>) {
        let log = EventLog<GenerationEvent>()
        let holder = OnLoop<any Generation>()
        var request = request
        request.isSpeculative = speculative
        let fixed = request
        try await holder.run { $0 = model.generate(fixed, on: loop) { log.add($0) } }
        return (log, holder)
    }

    private func failure(_ log: EventLog<GenerationEvent>) async -> ProviderError? {
        let events = await log.collect { event in
            if case .failed = event { true } else { false }
        }
        guard case .failed(let error) = events.last else { return nil }
        return error
    }

    @Test func aModelIsCalledWhenThereIsQuotaAndNotWhenThereIsNone() async throws {
        try await with(VendorQuota(requestsPerMinute: 2)) { quota in
            let limits = try #require(quota.of("openai"))
            let model = LimitedLanguageModel(provider, vendor: "openai", limits: limits, quota: quota)
            #expect(model.name == "openai/gpt-4o-mini")
            let first = try await generate(model)
            let second = try await generate(model)
            try await until { try await onLoop { provider.generations.count } == 2 }
            let (log, _) = try await generate(model)
            let error = try #require(await failure(log))
            #expect(error.category == .rateLimited)
            #expect(error.provider == "openai/gpt-4o-mini")
            #expect(error.retryAfterMilliseconds == 2_000)
            #expect(error.message == "our own limit of requests reached for provider openai/gpt-4o-mini: 2 per minute")
            #expect(try await onLoop { provider.generations.count } == 2)
            _ = (first, second)
        }
    }

    @Test func whatIsNotUsedOfTheTokensIsGivenBack() async throws {
        try await with(VendorQuota(tokensPerMinute: 1_000)) { quota in
            let model = LimitedLanguageModel(
                provider, vendor: "openai", limits: try #require(quota.of("openai")), quota: quota)
            let (log, holder) = try await generate(model)
            try await until { try await onLoop { provider.generations.count } == 1 }
            let estimate = store.taken["tokens"] ?? 0
            #expect(estimate > 100 && estimate < 130)
            try await onLoop { provider.generations[0].generated?(.finished(.stop, TokenUsage(input: 20, output: 10))) }
            _ = await log.collect { event in
                if case .finished = event { true } else { false }
            }
            try await until { store.taken["tokens"] == 30 }
            _ = holder
        }
    }

    @Test func speculationLeavesAReserve() async throws {
        try await with(VendorQuota(requestsPerMinute: 10)) { quota in
            let model = LimitedLanguageModel(
                provider, vendor: "openai", limits: try #require(quota.of("openai")), quota: quota)
            for count in 1...8 {
                _ = try await generate(model, speculative: true)
                try await until { try await onLoop { provider.generations.count } == count }
            }
            let (log, _) = try await generate(model, speculative: true)
            #expect(await failure(log)?.category == .rateLimited)
            _ = try await generate(model)
            try await until { try await onLoop { provider.generations.count } == 9 }
        }
    }

    @Test func aGenerationThatIsCancelledIsNotCalledAndGivesBack() async throws {
        try await with(VendorQuota(requests: 1, requestsPerMinute: 10)) { quota in
            let model = LimitedLanguageModel(
                provider, vendor: "openai", limits: try #require(quota.of("openai")), quota: quota)
            let log = EventLog<GenerationEvent>()
            let request = request
            try await onLoop { model.generate(request, on: loop) { log.add($0) }.cancel() }
            try await until { store.taken["requests"] == 0 && store.held == 0 }
            #expect(try await onLoop { provider.generations.isEmpty })
        }
    }

    @Test func aPlaceIsHeldWhileAGenerationRuns() async throws {
        try await with(VendorQuota(requests: 1), vendor: "vllm") { quota in
            let model = LimitedLanguageModel(
                provider, vendor: "vllm", limits: try #require(quota.of("vllm")), quota: quota)
            let (_, holder) = try await generate(model)
            try await until { try await onLoop { provider.generations.count } == 1 }
            let (log, _) = try await generate(model)
            #expect(await failure(log)?.message.contains("at most 1 at the same time") == true)
            try await holder.run { generation in
                generation?.cancel()
                generation = nil
            }
            try await until { store.held == 0 }
            #expect(try await onLoop { provider.generations[0].calls } == ["cancel"])
        }
    }

    @Test func whileRedisIsAwayAWorkerUsesItsShare() async throws {
        store.goAway()
        try await with(VendorQuota(requestsPerMinute: 4)) { quota in
            let model = LimitedLanguageModel(
                provider, vendor: "openai", limits: try #require(quota.of("openai")), quota: quota)
            for count in 1...2 {
                _ = try await generate(model)
                try await until { try await onLoop { provider.generations.count } == count }
            }
            let (log, _) = try await generate(model)
            #expect(await failure(log)?.category == .rateLimited)
        }
    }

    @Test func theChainGoesOnWhereOneModelHasNoQuota() async throws {
        try await with(VendorQuota(requestsPerMinute: 1)) { quota in
            let limited = LimitedLanguageModel(
                provider, vendor: "openai", limits: try #require(quota.of("openai")), quota: quota)
            let other = QuietProvider("anthropic/claude")
            let chain = FallbackLanguageModel([limited, other])
            let (passed, failed) = (EventLog<ProviderError>(), EventLog<GenerationEvent>())
            func ask(speculative: Bool) async throws {
                var request = request
                request.isSpeculative = speculative
                let fixed = request
                try await onLoop {
                    _ = chain.generate(
                        fixed, on: loop, chosen: { _ in }, passedOver: { passed.add($0) }, events: { failed.add($0) })
                }
            }
            try await ask(speculative: false)
            try await until { try await onLoop { provider.generations.count } == 1 }
            try await ask(speculative: false)
            #expect(await passed.collect { _ in true }.first?.category == .rateLimited)
            #expect(try await onLoop { other.generations.count } == 1)
            // A speculation is foregone instead.
            try await ask(speculative: true)
            #expect(await failure(failed)?.category == .rateLimited)
            #expect(try await onLoop { other.generations.count } == 1)
        }
    }

    // MARK: Recognisers

    @Test func aStreamKeepsItsPlaceAndWhatIsHeardBeforeItIsThere() async throws {
        try await with(VendorQuota(streams: 1), vendor: "deepgram") { quota in
            let recogniser = LimitedSpeechToText(provider, vendor: "deepgram", streams: 1, quota: quota)
            let log = EventLog<RecognitionEvent>()
            let holder = OnLoop<any RecognitionStream>()
            try await holder.run { stream in
                stream = recogniser.open(RecognitionRequest(session: "s"), on: loop) { log.add($0) }
                let samples: [Int16] = [1, 2, 3]
                stream?.send(samples.span)
                stream?.finalize()
                stream?.send(samples.span)
            }
            try await until { try await onLoop { provider.streams.count } == 1 }
            #expect(try await onLoop { provider.streams[0].samples } == [1, 2, 3, 1, 2, 3])
            #expect(try await onLoop { provider.streams[0].calls } == ["finalize"])
            let refused = EventLog<RecognitionEvent>()
            let second = OnLoop<any RecognitionStream>()
            try await second.run {
                $0 = recogniser.open(RecognitionRequest(session: "t"), on: loop) { refused.add($0) }
            }
            guard case .failed(let error) = await refused.collect(until: { _ in true }).first else {
                Issue.record("the second stream was not refused")
                return
            }
            #expect(error.isRetryable)
            try await holder.run { stream in
                stream?.close()
                stream = nil
            }
            try await until { store.held == 0 }
            #expect(try await onLoop { provider.streams[0].calls } == ["finalize", "close"])
        }
    }

    @Test func aStreamThatFailsGivesItsPlaceBack() async throws {
        try await with(VendorQuota(streams: 1), vendor: "deepgram") { quota in
            let recogniser = LimitedSpeechToText(provider, vendor: "deepgram", streams: 1, quota: quota)
            let holder = OnLoop<any RecognitionStream>()
            try await holder.run { $0 = recogniser.open(RecognitionRequest(session: "s"), on: loop) { _ in } }
            try await until { try await onLoop { provider.streams.count } == 1 }
            try await onLoop {
                provider.streams[0].recognised?(.failed(ProviderError(.server, provider: "x", message: "down")))
            }
            try await until { store.held == 0 }
        }
    }

    // MARK: Voices

    private func sentence(_ index: UInt32, reply: UInt32 = 1) -> SentenceID { SentenceID(reply: reply, index: index) }

    @Test func sentencesWaitForPlacesInTheirOrder() async throws {
        try await with(VendorQuota(contexts: 2), vendor: "cartesia") { quota in
            let voice = LimitedTextToSpeech(provider, vendor: "cartesia", contexts: 2, quota: quota)
            let log = EventLog<SynthesisEvent>()
            let holder = OnLoop<any SynthesisStream>()
            let ids = (0..<3).map { sentence($0) }
            try await holder.run { stream in
                stream = voice.open(SynthesisRequest(session: "s"), on: loop) { log.add($0) }
                for id in ids { stream?.speak("text", as: id, last: false) }
            }
            try await until { try await onLoop { provider.streams[0].calls } == ["1.0 text", "1.1 text"] }
            try await onLoop { provider.streams[0].synthesised?(.finished(ids[0], characters: 4)) }
            try await until { try await onLoop { provider.streams[0].calls.last } == "1.2 text" }
            try await holder.run { $0?.close() }
            try await until { store.held == 0 }
        }
    }

    @Test func aSentenceThatFindsNoPlaceFails() async throws {
        try await with(VendorQuota(contexts: 1), vendor: "cartesia") { quota in
            let voice = LimitedTextToSpeech(provider, vendor: "cartesia", contexts: 1, quota: quota)
            let log = EventLog<SynthesisEvent>()
            let holder = OnLoop<any SynthesisStream>()
            let ids = (0..<2).map { sentence($0) }
            try await holder.run { stream in
                stream = voice.open(SynthesisRequest(session: "s"), on: loop) { log.add($0) }
                for id in ids { stream?.speak("text", as: id, last: false) }
            }
            guard case .failed(let id, let error, let terminal) = await log.collect(until: { _ in true }).first else {
                Issue.record("no failure")
                return
            }
            #expect(id == ids[1])
            #expect(error.category == .rateLimited)
            #expect(!terminal)
            #expect(try await onLoop { provider.streams[0].calls } == ["1.0 text"])
        }
    }

    @Test func aCancelledReplyGivesItsPlacesBack() async throws {
        try await with(VendorQuota(contexts: 1), vendor: "cartesia") { quota in
            let voice = LimitedTextToSpeech(provider, vendor: "cartesia", contexts: 1, quota: quota)
            let holder = OnLoop<any SynthesisStream>()
            let (first, second, next) = (sentence(0), sentence(1), sentence(0, reply: 2))
            try await holder.run { stream in
                stream = voice.open(SynthesisRequest(session: "s"), on: loop) { _ in }
                stream?.speak("a", as: first, last: false)
                stream?.speak("b", as: second, last: true)
            }
            try await until { try await onLoop { provider.streams[0].calls } == ["1.0 a"] }
            try await holder.run { stream in
                stream?.cancel(reply: 1)
                stream?.speak("c", as: next, last: true)
            }
            try await until { try await onLoop { provider.streams[0].calls } == ["1.0 a", "cancel 1", "2.0 c"] }
            try await holder.run { $0?.close() }
        }
    }

    // MARK: Registration

    @Test func onlyVendorsWithAQuotaAreLimited() async throws {
        try await with(VendorQuota(streams: 1), vendor: "deepgram") { quota async throws in
            var registry = ProviderRegistry()
            registry.register(speechToText: "deepgram") { _ in provider }
            registry.register(languageModel: "deepgram") { _ in provider }
            registry.register(textToSpeech: "other") { _ in provider }
            registry.limit(by: quota)
            let ears = try registry.speechToText(.init("deepgram/nova-3"))
            let model = try registry.languageModel(.init("deepgram"))
            let voice = try registry.textToSpeech(.init("other"))
            #expect(ears is LimitedSpeechToText)
            #expect(model is QuietProvider)
            #expect(voice is QuietProvider)
        }
    }

    // MARK: Redis

    /// Two workers, one account.
    @Test(
        .enabled(
            if: ProcessInfo.processInfo.environment["PARLEY_TEST_REDIS_URL"] != nil, "PARLEY_TEST_REDIS_URL is not set")
    )
    func workersShareAnAccountInRedis() async throws {
        let url = ProcessInfo.processInfo.environment["PARLEY_TEST_REDIS_URL"] ?? ""
        let redis = RedisClient(try RedisConfiguration(url: url), on: loop, logger: Logger(label: "test"))
        let limits = RedisLimits(redis: redis, prefix: "test:\(UUID().uuidString):limit")
        let allowed = VendorQuota(requests: 3, requestsPerMinute: 5)
        try await with(allowed, over: limits) { first in
            try await with(allowed, over: limits) { second in
                let models = [first, second].map {
                    LimitedLanguageModel(provider, vendor: "openai", limits: allowed, quota: $0)
                }
                var running: [OnLoop<any Generation>] = []
                for count in 1...3 {
                    running.append(try await generate(models[count % 2]).1)
                    try await until { try await onLoop { provider.generations.count } == count }
                }
                let (log, _) = try await generate(models[0])
                #expect(await failure(log)?.message.contains("at most 3 at the same time") == true)
                for holder in running {
                    try await holder.run { generation in
                        generation?.cancel()
                        generation = nil
                    }
                }
                // Places come back; requests do not within this minute: two are left.
                let subject = LimitSubject.provider("openai")
                try await until {
                    let free =
                        try await limits.acquire("probe", [LeaseRequest("generations", subject, maximum: 1)]) == nil
                    if free {
                        try await limits.release([HeldLease(member: "probe", what: "generations", subject: subject)])
                    }
                    return free
                }
                var left: [OnLoop<any Generation>] = []
                for count in 4...5 {
                    left.append(try await generate(models[count % 2]).1)
                    try await until { try await onLoop { provider.generations.count } == count }
                }
                let (last, _) = try await generate(models[1])
                #expect(await failure(last)?.message.contains("5 per minute") == true)
                _ = left
            }
        }
        await redis.close()
    }
}

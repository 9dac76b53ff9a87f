package import Conversation
package import NIOCore
import RateLimits

/// A language model whose generations take quota of its account first.
package struct LimitedLanguageModel: LanguageModel {
    private let model: any LanguageModel
    private let vendor: String
    private let limits: VendorQuota
    private let quota: ProviderQuota

    package init(_ model: any LanguageModel, vendor: String, limits: VendorQuota, quota: ProviderQuota) {
        self.model = model
        self.vendor = vendor
        self.limits = limits
        self.quota = quota
    }

    package var name: String { model.name }

    package func generate(
        _ request: GenerationRequest, on eventLoop: any EventLoop, events: @escaping @Sendable (GenerationEvent) -> Void
    ) -> any Generation {
        let claim = GenerationClaim(request, model: model.name, vendor: vendor, limits: limits, quota: quota)
        let generation = LimitedGeneration(model, request, claim, eventLoop, events)
        generation.begin()
        return generation
    }
}

/// The quota of one generation.
private struct GenerationClaim: Sendable {
    private let vendor: String
    private let limits: VendorQuota
    private let quota: ProviderQuota
    private let subject: LimitSubject
    private let isSpeculative: Bool
    /// As vendors count before they know better: what is sent, and all that may be answered.
    private let estimate: TokenUsage

    init(_ request: GenerationRequest, model: String, vendor: String, limits: VendorQuota, quota: ProviderQuota) {
        self.vendor = vendor
        self.limits = limits
        self.quota = quota
        subject = .provider(model)
        isSpeculative = request.isSpeculative
        let tools = request.tools.reduce(0) { $0 + TokenEstimate.tokens(of: $1.description + $1.parametersSchema) }
        let context = request.context.items.reduce(0) { $0 + $1.estimatedTokens }
        estimate = TokenUsage(
            input: TokenEstimate.tokens(of: request.instructions) + context + tools, output: request.maxOutputTokens)
    }

    /// Takes it, and holds the place until the lease is let go.
    func take() async throws(LimitRefusal) -> Lease? {
        var lease: Lease?
        if let maximum = limits.requests {
            lease = try await quota.place("generations", vendor: vendor, maximum: maximum, speculative: isSpeculative)
        }
        try await quota.take(buckets(requests: 1, estimate))
        return lease
    }

    /// What was used is known.
    func settle(_ usage: TokenUsage) {
        // A server that reports no usage leaves us with the estimate.
        guard usage.input + usage.output > 0 else { return }
        quota.correct(
            buckets(
                requests: 0,
                TokenUsage(input: usage.input - estimate.input, output: usage.output - estimate.output)))
    }

    /// The vendor was never called.
    func giveBack() {
        quota.correct(buckets(requests: -1, TokenUsage(input: -estimate.input, output: -estimate.output)))
    }

    private func buckets(requests: Double, _ tokens: TokenUsage) -> [BucketRequest] {
        var buckets: [BucketRequest] = []
        func add(_ what: String, _ perMinute: Double?, _ count: Double) {
            guard let perMinute, count != 0 else { return }
            let reserve = isSpeculative && count > 0 ? perMinute * ProviderQuota.speculationReserve : 0
            buckets.append(BucketRequest(what, subject, .perMinute(perMinute), count: count, reserve: reserve))
        }
        add("requests", limits.requestsPerMinute, requests)
        add("tokens", limits.tokensPerMinute, Double(tokens.input + tokens.output))
        add("input tokens", limits.inputTokensPerMinute, Double(tokens.input))
        add("output tokens", limits.outputTokensPerMinute, Double(tokens.output))
        return buckets
    }
}

/// One generation, which begins when its quota is there. Confined to its event loop.
private final class LimitedGeneration: Generation {
    private enum State {
        case claiming
        case running(any Generation, Lease?)
        case ended
    }

    private let model: any LanguageModel
    private let request: GenerationRequest
    private let claim: GenerationClaim
    private let eventLoop: any EventLoop
    private let events: @Sendable (GenerationEvent) -> Void
    private var state = State.claiming

    init(
        _ model: any LanguageModel, _ request: GenerationRequest, _ claim: GenerationClaim, _ eventLoop: any EventLoop,
        _ events: @escaping @Sendable (GenerationEvent) -> Void
    ) {
        self.model = model
        self.request = request
        self.claim = claim
        self.eventLoop = eventLoop
        self.events = events
    }

    func begin() {
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        let claim = claim
        let eventLoop = eventLoop
        // The generation lives on its event loop; its quota comes from Redis, and comes back in one hop.
        Task {
            let result: Result<Lease?, LimitRefusal>
            do throws(LimitRefusal) { result = .success(try await claim.take()) } catch { result = .failure(error) }
            eventLoop.execute { bound.value.claimed(result) }
        }
    }

    func cancel() {
        if case .running(let generation, _) = state { generation.cancel() }
        state = .ended
    }

    private func claimed(_ result: Result<Lease?, LimitRefusal>) {
        switch (state, result) {
        case (.claiming, .success(let lease)):
            let bound = NIOLoopBound(self, eventLoop: eventLoop)
            let generation = model.generate(request, on: eventLoop) { event in bound.value.received(event) }
            state = .running(generation, lease)
        case (.claiming, .failure(let refusal)):
            state = .ended
            events(.failed(ProviderError(refusal, provider: model.name)))
        case (_, .success): claim.giveBack()
        case (_, .failure): break
        }
    }

    private func received(_ event: GenerationEvent) {
        guard case .running = state else { return }
        switch event {
        case .finished(_, let usage):
            state = .ended
            claim.settle(usage)
        case .failed: state = .ended
        case .requested, .text, .toolCall, .flow: break
        }
        events(event)
    }
}

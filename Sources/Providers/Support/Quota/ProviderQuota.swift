package import Conversation
package import RateLimits
import Synchronization

/// Quota of providers' accounts that all workers share: places for what runs at the same time, buckets for what runs in a minute. It is
/// taken before a vendor is called, and refused quota is a failure of the provider like any other: the next of the chain is asked.
package final class ProviderQuota: Sendable {
    /// The part of every quota that speculation leaves to replies that are needed.
    package static let speculationReserve = 0.2
    /// Corrections that wait to be made; with more of them the oldest are left out.
    private static let maximumCorrections = 1_000

    private let vendors: [String: VendorQuota]
    private let limiter: RateLimiter
    private let keeper: LeaseKeeper
    private let prefix: String
    private let calls = Atomic<Int>(0)
    private let corrections = AsyncStream<[BucketRequest]>.makeStream(
        bufferingPolicy: .bufferingNewest(maximumCorrections))

    /// - Parameters:
    ///   - worker: makes the names of leases unique
    ///   - localShare: the part of every quota that this worker uses while Redis is away
    package init(_ vendors: [String: VendorQuota], shared: SharedLimits, worker: String, localShare: Double) {
        self.vendors = vendors
        limiter = RateLimiter(shared, localShare: localShare)
        keeper = LeaseKeeper(shared, localShare: localShare)
        prefix = worker
    }

    /// The quota of a vendor's account; nil where the operator has set none.
    package func of(_ vendor: String) -> VendorQuota? { vendors[vendor] }

    /// Renews leases and makes corrections until cancelled.
    package func run() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.keeper.run() }
            group.addTask {
                for await buckets in self.corrections.stream { await self.limiter.charge(buckets) }
            }
        }
    }

    /// A place for something that runs at the same time as others of the account.
    func place(_ what: String, vendor: String, maximum: Int, speculative: Bool = false) async throws(LimitRefusal)
        -> Lease
    {
        let reserve = speculative ? Int((Double(maximum) * Self.speculationReserve).rounded(.up)) : 0
        let member = "\(prefix)-\(calls.wrappingAdd(1, ordering: .relaxed).newValue)"
        return try await keeper.acquire(
            member, [LeaseRequest(what, .provider(vendor), maximum: maximum, reserve: reserve)])
    }

    func take(_ buckets: [BucketRequest]) async throws(LimitRefusal) { try await limiter.take(buckets) }

    /// Corrects what was taken by estimate: negative counts are given back. Does not wait.
    func correct(_ buckets: [BucketRequest]) {
        if !buckets.isEmpty { corrections.continuation.yield(buckets) }
    }
}

extension ProviderError {
    /// Our own limit stands in the way. It is like one of the vendor's; what can never fit is for the operator to mend.
    init(_ refusal: LimitRefusal, provider: String) {
        let wait = refusal.retryAfter.map { Int(($0 / .milliseconds(1)).rounded(.up)) }
        self.init(
            wait == nil ? .quota : .rateLimited, provider: provider, message: "our own \(refusal)",
            retryAfterMilliseconds: wait)
    }
}

extension ProviderRegistry {
    /// Has every provider of a vendor with a quota take from it first.
    package mutating func limit(by quota: ProviderQuota) {
        wrap(
            speechToText: { provider, configuration in
                guard let streams = quota.of(configuration.vendor)?.streams else { return provider }
                return LimitedSpeechToText(provider, vendor: configuration.vendor, streams: streams, quota: quota)
            },
            languageModel: { provider, configuration in
                guard let limits = quota.of(configuration.vendor), limits.limitsGenerations else { return provider }
                return LimitedLanguageModel(provider, vendor: configuration.vendor, limits: limits, quota: quota)
            },
            textToSpeech: { provider, configuration in
                guard let contexts = quota.of(configuration.vendor)?.contexts else { return provider }
                return LimitedTextToSpeech(provider, vendor: configuration.vendor, contexts: contexts, quota: quota)
            })
    }
}

import ProviderSupport
import ServiceSupport

/// The variables that say what the operator's accounts with providers allow, for all workers together.
enum QuotaKeys {
    static let localShare = EnvironmentKey<Double>.number(
        "PARLEY_QUOTA_LOCAL_SHARE", in: 0.01...1, default: "0.25",
        help: "The part of every provider quota that this worker uses by itself while Redis is away.")

    /// One kind of quota, and where it goes.
    private struct Kind: Sendable {
        let suffix: String
        let help: String
        let set: @Sendable (inout VendorQuota, Int) -> Void
    }

    private static let streams = Kind(suffix: "STREAMS", help: "recognition streams at the same time") {
        $0.streams = $1
    }
    private static let contexts = Kind(suffix: "CONTEXTS", help: "sentences in synthesis at the same time") {
        $0.contexts = $1
    }
    private static let requests = Kind(suffix: "REQUESTS", help: "generations at the same time") { $0.requests = $1 }
    private static let perMinute = Kind(suffix: "REQUESTS_PER_MINUTE", help: "requests per minute for each model") {
        $0.requestsPerMinute = Double($1)
    }
    private static let tokens = Kind(suffix: "TOKENS_PER_MINUTE", help: "tokens per minute for each model") {
        $0.tokensPerMinute = Double($1)
    }
    private static let input = Kind(suffix: "INPUT_TOKENS_PER_MINUTE", help: "input tokens per minute for each model") {
        $0.inputTokensPerMinute = Double($1)
    }
    private static let output = Kind(
        suffix: "OUTPUT_TOKENS_PER_MINUTE", help: "output tokens per minute for each model"
    ) { $0.outputTokensPerMinute = Double($1) }

    /// What each vendor counts.
    private static let kinds: [(vendor: String, kinds: [Kind])] = [
        ("deepgram", [streams]), ("elevenlabs", [contexts]), ("cartesia", [contexts]),
        ("openai", [perMinute, tokens]), ("anthropic", [perMinute, input, output]),
        ("groq", [perMinute, tokens]), ("cerebras", [perMinute, tokens]), ("ollama", [requests]), ("vllm", [requests]),
    ]

    private static func key(_ vendor: String, _ kind: Kind) -> EnvironmentKey<Int?> {
        EnvironmentKey<Int>.integer(
            "PARLEY_QUOTA_\(vendor.uppercased())_\(kind.suffix)", in: 1...1_000_000_000, default: nil,
            help:
                "The account with \(vendor) allows so many \(kind.help); all workers together stay below. None: no limit."
        ).optional
    }

    static var declarations: [EnvironmentDeclaration] {
        kinds.flatMap { vendor, kinds in kinds.map { key(vendor, $0).declaration } } + [localShare.declaration]
    }

    /// By vendor; those without any quota are not in it.
    static func quotas(_ environment: ServiceEnvironment) throws -> [String: VendorQuota] {
        var quotas: [String: VendorQuota] = [:]
        for (vendor, kinds) in kinds {
            var quota = VendorQuota()
            for kind in kinds {
                if let value = try environment.get(key(vendor, kind)) { kind.set(&quota, value) }
            }
            if quota != VendorQuota() { quotas[vendor] = quota }
        }
        return quotas
    }
}

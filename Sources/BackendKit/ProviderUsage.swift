/// What one request to a provider used, as far as the provider says.
public struct ProviderUsage: Sendable, Hashable {
    public enum Kind: String, Sendable, Hashable { case speechToText = "stt", languageModel = "llm", textToSpeech = "tts" }

    public var kind: Kind
    /// `vendor/model`.
    public var provider: String
    public var inputTokens = 0
    /// Part of the input tokens.
    public var cachedInputTokens = 0
    public var outputTokens = 0
    public var characters = 0
    public var audioSeconds = 0.0

    public init(_ kind: Kind, provider: String) {
        self.kind = kind
        self.provider = provider
    }
}

/// A service that speaks OpenAI's chat completions, under the name that agents write.
struct OpenAIVendor: Sendable, Hashable {
    var name: String
    var defaultBaseURL: String
    var baseURLVariable: String
    var keyVariable: String
    /// Local servers usually want no key.
    var needsKey: Bool
    /// OpenAI renamed `max_tokens`; the others have kept it.
    var maximumTokensName: String
    var defaultModel: String

    static let all = [
        OpenAIVendor(
            name: "openai", defaultBaseURL: "https://api.openai.com/v1", baseURLVariable: "OPENAI_BASE_URL",
            keyVariable: "OPENAI_API_KEY", needsKey: true, maximumTokensName: "max_completion_tokens",
            defaultModel: "gpt-4o-mini"),
        OpenAIVendor(
            name: "groq", defaultBaseURL: "https://api.groq.com/openai/v1", baseURLVariable: "GROQ_BASE_URL",
            keyVariable: "GROQ_API_KEY", needsKey: true, maximumTokensName: "max_completion_tokens",
            defaultModel: "llama-3.3-70b-versatile"),
        OpenAIVendor(
            name: "cerebras", defaultBaseURL: "https://api.cerebras.ai/v1", baseURLVariable: "CEREBRAS_BASE_URL",
            keyVariable: "CEREBRAS_API_KEY", needsKey: true, maximumTokensName: "max_completion_tokens",
            defaultModel: "llama-3.3-70b"),
        OpenAIVendor(
            name: "ollama", defaultBaseURL: "http://127.0.0.1:11434/v1", baseURLVariable: "OLLAMA_BASE_URL",
            keyVariable: "OLLAMA_API_KEY", needsKey: false, maximumTokensName: "max_tokens", defaultModel: "llama3.2"),
        OpenAIVendor(
            name: "vllm", defaultBaseURL: "http://127.0.0.1:8000/v1", baseURLVariable: "VLLM_BASE_URL",
            keyVariable: "VLLM_API_KEY",
            needsKey: false, maximumTokensName: "max_tokens", defaultModel: ""),
    ]
}

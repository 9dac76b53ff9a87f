/// Providers by vendor name. Executables register what they link; agents choose by `vendor/model`.
///
/// A plug-in implements one protocol and adds one registration line; nothing else changes.
package struct ProviderRegistry: Sendable {
    package typealias Make<Provider> = @Sendable (ProviderConfiguration) throws -> Provider

    private var recognisers: [String: Make<any SpeechToText>] = [:]
    private var models: [String: Make<any LanguageModel>] = [:]
    private var voices: [String: Make<any TextToSpeech>] = [:]

    package init() {}

    package mutating func register(speechToText vendor: String, _ make: @escaping Make<any SpeechToText>) { recognisers[vendor] = make }
    package mutating func register(languageModel vendor: String, _ make: @escaping Make<any LanguageModel>) { models[vendor] = make }
    package mutating func register(textToSpeech vendor: String, _ make: @escaping Make<any TextToSpeech>) { voices[vendor] = make }

    /// Puts something around every provider of the vendors registered so far, whenever one is made.
    package mutating func wrap(
        speechToText: @escaping @Sendable (any SpeechToText, ProviderConfiguration) -> any SpeechToText,
        languageModel: @escaping @Sendable (any LanguageModel, ProviderConfiguration) -> any LanguageModel,
        textToSpeech: @escaping @Sendable (any TextToSpeech, ProviderConfiguration) -> any TextToSpeech
    ) {
        recognisers = recognisers.mapValues { make in { speechToText(try make($0), $0) } }
        models = models.mapValues { make in { languageModel(try make($0), $0) } }
        voices = voices.mapValues { make in { textToSpeech(try make($0), $0) } }
    }

    package func speechToText(_ configuration: ProviderConfiguration) throws -> any SpeechToText {
        try find(recognisers, configuration, "stt")(configuration)
    }
    package func languageModel(_ configuration: ProviderConfiguration) throws -> any LanguageModel {
        try find(models, configuration, "llm")(configuration)
    }
    package func textToSpeech(_ configuration: ProviderConfiguration) throws -> any TextToSpeech {
        try find(voices, configuration, "tts")(configuration)
    }

    /// Vendors by role, for `parley doctor` and for messages.
    package var vendors: [String: [String]] {
        ["stt": recognisers.keys.sorted(), "llm": models.keys.sorted(), "tts": voices.keys.sorted()]
    }

    private func find<Provider>(
        _ table: [String: Make<Provider>], _ configuration: ProviderConfiguration, _ role: String
    ) throws -> Make<Provider> {
        guard let make = table[configuration.vendor] else {
            throw ProviderError(
                .invalidRequest, provider: configuration.name,
                message: "no \(role) provider is named '\(configuration.vendor)'; known: \(table.keys.sorted().joined(separator: ", "))")
        }
        return make
    }
}

/// What a provider is made from: its name, the agent's options for it and the operator's environment.
package struct ProviderConfiguration: Sendable {
    /// Before the first `/`: `deepgram`.
    package var vendor: String
    /// After it: `nova-3`; empty where the vendor has one model.
    package var model: String
    /// Options of the agent file for this provider, all scalars as text.
    package var options: [String: String]
    /// Keys and base URLs come from here only, never from the agent file. `DEEPGRAM_API_KEY`, `DEEPGRAM_BASE_URL`, ...
    package var environment: @Sendable (String) -> String?

    package init(
        _ name: String, options: [String: String] = [:], environment: @escaping @Sendable (String) -> String? = { _ in nil }
    ) {
        let parts = name.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        self.vendor = String(parts.first ?? "")
        self.model = parts.count > 1 ? String(parts[1]) : ""
        self.options = options
        self.environment = environment
    }

    /// `vendor/model`.
    package var name: String { model.isEmpty ? vendor : "\(vendor)/\(model)" }

    /// The operator's value, or an error that names the variable to set.
    package func required(_ variable: String) throws -> String {
        guard let value = environment(variable), !value.isEmpty else {
            throw ProviderError(.authentication, provider: name, message: "set \(variable) (or \(variable)_FILE) to use this provider")
        }
        return value
    }
}

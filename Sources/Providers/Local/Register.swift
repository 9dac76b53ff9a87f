package import Conversation
import Foundation

/// Registers the providers that need no network.
///
/// `PARLEY_POCKETSPHINX_MODEL_DIR` names the directory of the recogniser's model, `PARLEY_LOCAL_SPEECH_THREADS` the threads that
/// recognise and synthesise (default: half of the cores, at least one).
package func registerLocalProviders(in registry: inout ProviderRegistry, environment: @escaping @Sendable (String) -> String?) {
    let threads = environment("PARLEY_LOCAL_SPEECH_THREADS").flatMap { Int($0) } ?? max(1, ProcessInfo.processInfo.activeProcessorCount / 2)
    let pool = LocalSpeechPool(threads: threads)
    let models = environment("PARLEY_POCKETSPHINX_MODEL_DIR") ?? "/usr/share/pocketsphinx/model/en-us"
    let recogniser = LocalSpeechToText(models: models, decoders: threads * 2, pool: pool)
    registry.register(speechToText: "local") { configuration in
        guard configuration.model == "pocketsphinx" else { throw unknown(configuration, ["pocketsphinx"]) }
        return recogniser
    }
    registry.register(textToSpeech: "local") { configuration in
        guard let engine = LocalTextToSpeech.Engine(rawValue: configuration.model) else {
            throw unknown(configuration, LocalTextToSpeech.Engine.allCases.map(\.rawValue))
        }
        return LocalTextToSpeech(engine: engine, pool: pool)
    }
    registry.register(languageModel: "scripted") { _ in ScriptedLanguageModel() }
}

private func unknown(_ configuration: ProviderConfiguration, _ known: [String]) -> ProviderError {
    ProviderError(
        .invalidRequest, provider: configuration.name,
        message: "there is no local engine '\(configuration.model)'; known: \(known.joined(separator: ", "))")
}

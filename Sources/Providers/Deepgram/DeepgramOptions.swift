import Conversation
import ProviderSupport
import WebSocket

/// How a stream of `/v1/listen` is asked for.
struct DeepgramOptions: Sendable, Hashable {
    var model: String
    var language: String?
    /// Milliseconds of silence after which a final is made; nil switches Deepgram's own endpointing off.
    var endpointing: Int?
    var smartFormat: Bool
    var fillerWords: Bool
    var numerals: Bool
    /// Keep the audio out of Deepgram's model improvement programme.
    var optOut: Bool

    init(_ configuration: ProviderConfiguration) throws(ProviderError) {
        try configuration.allowOptions(
            "language", "endpointing_ms", "smart_format", "filler_words", "numerals", "mip_opt_out")
        model = configuration.model.isEmpty ? "nova-3" : configuration.model
        language = configuration.options["language"]
        let asked = try configuration.number("endpointing_ms", 0...10_000).map { Int($0) }
        endpointing = asked == 0 ? nil : asked ?? 25
        smartFormat = try configuration.flag("smart_format") ?? false
        fillerWords = try configuration.flag("filler_words") ?? false
        numerals = try configuration.flag("numerals") ?? false
        optOut = try configuration.flag("mip_opt_out") ?? false
    }

    /// Path and query of the handshake.
    func target(_ request: RecognitionRequest) -> String {
        var query: [(String, String)] = [
            ("model", model), ("encoding", "linear16"), ("sample_rate", "16000"), ("channels", "1"),
            ("interim_results", "true"),
            ("punctuate", "true"), ("no_delay", "true"), ("vad_events", "true"),
            ("endpointing", endpointing.map { "\($0)" } ?? "false"),
            ("tag", request.session),
        ]
        if let language = request.language ?? language { query.append(("language", language)) }
        for (name, isOn) in [
            ("smart_format", smartFormat), ("filler_words", fillerWords), ("numerals", numerals),
            ("mip_opt_out", optOut),
        ] where isOn { query.append((name, "true")) }
        // nova-3 knows keyterms; its predecessors keywords.
        let termName = model.hasPrefix("nova-3") ? "keyterm" : "keywords"
        for term in request.keyterms.prefix(100) { query.append((termName, term)) }
        return "/v1/listen?" + query.map { "\($0)=\(WebSocketURL.encode($1))" }.joined(separator: "&")
    }
}

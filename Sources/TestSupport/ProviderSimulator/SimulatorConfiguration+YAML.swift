import Foundation
import Yams

/// Why a simulator's configuration cannot be used.
package struct SimulatorConfigurationError: Error, Sendable, CustomStringConvertible {
    package let description: String
}

extension SimulatorConfiguration {
    /// Reads a YAML text; keys that are not known are errors. `provider-simulator --help` shows all of them.
    package init(yaml: String) throws {
        self.init()
        let loaded: Any?
        do { loaded = try Yams.load(yaml: yaml) } catch {
            throw SimulatorConfigurationError(description: "not YAML: \(error)")
        }
        guard let loaded else { return }
        let top = try Settings(loaded, "")
        try top.allow("host", "port", "threads", "keys", "seed", "stt", "llm", "tts", "faults")
        host = try top.text("host") ?? host
        port = try top.int("port") ?? port
        threads = try top.int("threads") ?? threads
        seed = try top.int("seed").map { UInt64($0.magnitude) } ?? seed
        if let keys = try top.list("keys") { self.keys = Set(keys.map { "\($0)" }) }
        if let stt = try top.map("stt") { try recognition.read(stt) }
        if let llm = try top.map("llm") { try language.read(llm) }
        if let tts = try top.map("tts") { try speech.read(tts) }
        if let faults = try top.map("faults") { try self.faults.read(faults) }
    }

    /// Every key with its default, for `--help`.
    package static let example = """
        port: 8090
        threads: 1                  # event loops
        keys: [simulator]           # accepted API keys, the same for all vendors
        seed: 1                     # of latencies and faults
        stt:
          interim_every_ms: 100     # of speech
          final_ms: 100             # after the end of speech; or {median: 250, p95: 320}
          threshold: 250            # mean absolute sample that counts as speech
          word_every_ms: 300
          script: ["Hello.", {text: "My name is Anna.", speech_ms: 1200}]
        llm:
          first_token_ms: 150       # or {median: 400, p95: 900}
          per_token_ms: 10
          answers: ["Thanks for calling, may I ask for your name?"]
          rules:
            - match: "my name is"   # regular expression, in the last user message
              answer: "Nice to meet you."
              calls: [{name: record_lead, arguments: '{"name": "Anna"}'}]
              after_calls: "Which company are you with?"
        tts:
          first_byte_ms: 100
          pace: 5                   # times real time
          chunk_ms: 100
          elevenlabs_contexts: 5
          cartesia_contexts: 100
        faults:                     # kinds: none, refuse, status, reset, stall, garbage, slow, error
          openai:
            - {kind: status, status: 429, retry_after: 1}
            - {kind: reset, after_ms: 200, probability: 0.05}
        """
}

extension RecognitionBehaviour {
    fileprivate mutating func read(_ settings: Settings) throws {
        try settings.allow("interim_every_ms", "final_ms", "threshold", "word_every_ms", "idle_close_ms", "script")
        interimEvery = try settings.int("interim_every_ms") ?? interimEvery
        final = try settings.latency("final_ms") ?? final
        threshold = try settings.int("threshold") ?? threshold
        wordEvery = try settings.int("word_every_ms") ?? wordEvery
        idleClose = try settings.int("idle_close_ms") ?? idleClose
        script =
            try settings.list("script")?.map { item in
                if let text = item as? String { return ScriptedUtterance(text) }
                let entry = try Settings(item, settings.path + "script")
                try entry.allow("text", "speech_ms")
                return ScriptedUtterance(try entry.required("text"), speechMilliseconds: try entry.int("speech_ms"))
            } ?? script
    }
}

extension LanguageBehaviour {
    fileprivate mutating func read(_ settings: Settings) throws {
        try settings.allow("first_token_ms", "per_token_ms", "answers", "rules")
        firstToken = try settings.latency("first_token_ms") ?? firstToken
        perToken = try settings.latency("per_token_ms") ?? perToken
        if let answers = try settings.list("answers") { self.answers = answers.map { "\($0)" } }
        rules =
            try settings.list("rules")?.map { item in
                let rule = try Settings(item, settings.path + "rules")
                try rule.allow("match", "answer", "calls", "after_calls")
                let calls = try rule.list("calls")?.map { item in
                    let call = try Settings(item, rule.path + "calls")
                    try call.allow("name", "arguments")
                    return LanguageRule.Call(try call.required("name"), try call.text("arguments") ?? "{}")
                }
                return LanguageRule(
                    try rule.required("match"), answer: try rule.text("answer") ?? "", calls: calls ?? [],
                    afterCalls: try rule.text("after_calls"))
            } ?? rules
    }
}

extension SpeechBehaviour {
    fileprivate mutating func read(_ settings: Settings) throws {
        try settings.allow("first_byte_ms", "pace", "chunk_ms", "elevenlabs_contexts", "cartesia_contexts")
        firstByte = try settings.latency("first_byte_ms") ?? firstByte
        pace = try settings.number("pace") ?? pace
        chunk = try settings.int("chunk_ms") ?? chunk
        elevenLabsContexts = try settings.int("elevenlabs_contexts") ?? elevenLabsContexts
        cartesiaContexts = try settings.int("cartesia_contexts") ?? cartesiaContexts
    }
}

extension FaultPlan {
    fileprivate mutating func read(_ settings: Settings) throws {
        try settings.allow(SimulatedVendor.allCases.map(\.rawValue))
        for vendor in SimulatedVendor.allCases {
            for item in try settings.list(vendor.rawValue) ?? [] {
                let entry = try Settings(item, settings.path + vendor.rawValue)
                try entry.allow("kind", "after_ms", "status", "retry_after", "factor", "probability")
                let kind = try entry.required("kind")
                let fault = Fault(
                    kind: kind, after: try entry.int("after_ms"), status: try entry.int("status"),
                    retryAfter: try entry.number("retry_after"), factor: try entry.number("factor"))
                guard let fault else {
                    throw SimulatorConfigurationError(
                        description: "\(entry.path)kind: '\(kind)' is not one of \(Fault.kinds)")
                }
                if let probability = try entry.number("probability") {
                    chances[vendor, default: []].append(Chance(fault, probability: probability))
                } else {
                    script[vendor, default: []].append(fault)
                }
            }
        }
    }
}

/// One mapping of the file, read with errors that name the key.
private struct Settings {
    /// Where it stands, with a dot at the end.
    let path: String
    private let values: [String: Any]

    init(_ value: Any, _ path: String) throws {
        guard let values = value as? [String: Any] else {
            throw SimulatorConfigurationError(description: "\(path.isEmpty ? "the file" : path): expected a mapping")
        }
        self.values = values
        self.path = path.isEmpty || path.hasSuffix(".") ? path : path + "."
    }

    func allow(_ keys: String...) throws { try allow(keys) }

    func allow(_ keys: [String]) throws {
        for key in values.keys.sorted() where !keys.contains(key) {
            throw SimulatorConfigurationError(
                description: "unknown key '\(path)\(key)'; known here: \(keys.sorted().joined(separator: ", "))")
        }
    }

    func text(_ key: String) throws -> String? {
        guard let value = values[key] else { return nil }
        guard !(value is [Any]), !(value is [String: Any]) else { throw wrong(key, "a text") }
        return "\(value)"
    }

    func required(_ key: String) throws -> String {
        guard let text = try text(key) else {
            throw SimulatorConfigurationError(description: "\(path)\(key) is missing")
        }
        return text
    }

    func int(_ key: String) throws -> Int? {
        guard let value = values[key] else { return nil }
        guard let number = value as? Int, number >= 0 else { throw wrong(key, "a whole number") }
        return number
    }

    func number(_ key: String) throws -> Double? {
        guard let value = values[key] else { return nil }
        guard let number = (value as? Double) ?? (value as? Int).map(Double.init), number >= 0 else {
            throw wrong(key, "a number")
        }
        return number
    }

    func list(_ key: String) throws -> [Any]? {
        guard let value = values[key] else { return nil }
        guard let list = value as? [Any] else { throw wrong(key, "a list") }
        return list
    }

    func map(_ key: String) throws -> Settings? { try values[key].map { try Settings($0, path + key) } }

    /// A number of milliseconds, or `{median, p95}`.
    func latency(_ key: String) throws -> SimulatedLatency? {
        guard let value = values[key] else { return nil }
        guard value is [String: Any] else { return try number(key).map { .fixed($0) } }
        let entry = try Settings(value, path + key)
        try entry.allow("median", "p95")
        guard let median = try entry.number("median"), let p95 = try entry.number("p95"), median > 0, p95 >= median
        else {
            throw wrong(key, "a number of milliseconds or {median, p95}")
        }
        return .lognormal(median: median, p95: p95)
    }

    private func wrong(_ key: String, _ expected: String) -> SimulatorConfigurationError {
        SimulatorConfigurationError(description: "\(path)\(key): expected \(expected)")
    }
}

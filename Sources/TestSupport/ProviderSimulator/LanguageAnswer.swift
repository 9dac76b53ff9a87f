import NIOCore
import SimulatedHTTP
import WireCoding

/// What a simulated model was asked, neutral between the vendors.
struct LanguageQuestion {
    var model: String
    var lastUserText: String
    var userTurns: Int
    /// The last message is a tool's result.
    var answersTool: Bool
    var toolNames: [String]
    var inputTokens: Int
    /// What the assistant has said since the last user message: a reply to go on with.
    var saidSince = ""
    /// The request asks to finish that.
    var isContinuation = false
}

/// What it answers.
struct LanguageAnswer {
    var tokens: [String]
    var calls: [LanguageRule.Call]

    init(_ question: LanguageQuestion, _ behaviour: LanguageBehaviour) {
        if let book = behaviour.book {
            let answer = book.answer(question)
            tokens = Self.tokens(answer.text)
            calls = answer.calls
            return
        }
        let fallback =
            behaviour.answers.isEmpty
            ? "Yes." : behaviour.answers[max(0, question.userTurns - 1) % behaviour.answers.count]
        let rule = behaviour.rules.first { rule in
            guard let pattern = try? Regex(rule.match).ignoresCase() else { return false }
            return question.lastUserText.contains(pattern)
        }
        var text = fallback
        calls = []
        if let rule {
            if question.answersTool {
                text = rule.afterCalls ?? (rule.calls.isEmpty && !rule.answer.isEmpty ? rule.answer : fallback)
            } else {
                calls = rule.calls.filter { question.toolNames.contains($0.name) }
                text = rule.answer.isEmpty && calls.isEmpty ? fallback : rule.answer
            }
        }
        tokens = Self.tokens(text)
    }

    /// Words with the space before them, like most tokenisers.
    private static func tokens(_ text: String) -> [String] {
        var tokens: [String] = []
        for word in text.split(separator: " ") { tokens.append(tokens.isEmpty ? String(word) : " " + word) }
        return tokens
    }

    /// Arguments in pieces of a few characters, as models write them.
    static func fragments(_ text: String) -> [String] {
        let characters = Array(text)
        return stride(from: 0, to: characters.count, by: 7).map {
            String(characters[$0..<min($0 + 7, characters.count)])
        }
    }
}

/// Writes an answer token by token, with the configured delays. Confined to its event loop.
final class LanguageWriter {
    private let steps: [() -> Void]
    private let exchange: SimulatedExchange
    private let state: SimulatorState
    private let player: FaultPlayer
    private var next = 0

    /// `steps` write one token each; the last ends the exchange.
    init(_ steps: [() -> Void], exchange: SimulatedExchange, state: SimulatorState, player: FaultPlayer) {
        self.steps = steps
        self.exchange = exchange
        self.state = state
        self.player = player
    }

    func start() { schedule(state.configuration.language.firstToken) }

    private func schedule(_ latency: SimulatedLatency) {
        exchange.after(milliseconds: state.draw(latency) * player.slowness) { self.step() }
    }

    private func step() {
        // A stalled answer keeps its connection and says nothing.
        guard !player.isMuted else { return }
        steps[next]()
        next += 1
        state.count { $0.tokens += 1 }
        if next < steps.count { schedule(state.configuration.language.perToken) }
    }
}

import CallerSimulator
import Foundation
import ProviderSimulator

/// What the callers of a measurement do.
struct BenchLoad: Sendable {
    enum Kind: Sendable { case answers, interruptions, setUps }

    let kind: Kind
    let utterances: [String]
    /// What the simulated language model says, in turn.
    let answers: [String]
    /// Milliseconds between the starts of two calls.
    let stagger: Int

    /// Question and answer. One sentence in six leaves open whether it is complete, so that the turn model is asked.
    static let questions = BenchLoad(
        kind: .answers,
        utterances: [
            "Hello, I saw your advertisement.", "My name is Anna Schmidt.", "I work for Northwind Traders",
            "We need a phone system for forty people.", "Our budget is about twenty thousand.", "We want to start in March.",
        ],
        answers: SimulatorConfiguration().language.answers, stagger: 137)

    /// The caller speaks into long answers.
    static let interruptions = BenchLoad(
        kind: .interruptions,
        utterances: ["Wait, I have another question.", "Hold on, that is not what I meant.", "Stop, please tell me the price first."],
        answers: [
            """
            That is a very good question to begin with today. Our system connects every desk of your company over the network. It \
            records the calls, counts them, and shows who waits. Your team sees at once where help is needed most. We install it in \
            one week and train all of your people. Afterwards somebody is there for you at every hour.
            """
        ], stagger: 137)

    /// Call, wait for the greeting, hang up.
    static let setUps = BenchLoad(kind: .setUps, utterances: [], answers: SimulatorConfiguration().language.answers, stagger: 250)

    /// The scenario of one caller: `turns` utterances from the list, with pauses of its own so that callers do not move in step.
    func scenario(caller: Int, turns: Int) -> Scenario {
        if kind == .setUps {
            return Scenario(name: "bench", steps: [.init(.hangUp, moment: .intoAgent, delay: 100)], endedBy: "caller")
        }
        var steps = (0..<turns).map { turn in
            let spread = (caller * 7 + turn * 3) % 10
            let interrupts = kind == .interruptions && turn > 0
            return Scenario.Step(
                .say(utterances[turn % utterances.count]), moment: interrupts ? .intoAgent : .afterAgent,
                delay: interrupts ? 900 + spread * 70 : 300 + spread * 50)
        }
        steps.append(.init(.silence, moment: kind == .interruptions ? .intoAgent : .afterAgent, delay: 200))
        return Scenario(name: "bench", steps: steps, patience: 15_000, endedBy: "caller")
    }

    /// The agent, when none is given.
    static let agent = """
        agent: bench
        language: en-US
        instructions: You answer the line of a company that sells phone systems. Be brief.
        pipeline:
          stt: deepgram/nova-3
          llm: [openai/gpt-4o-mini]
          tts: cartesia/sonic-3
          vad: quick
        turn_taking: quick
        greeting:
          say: Hello, how can I help you?
        """
}

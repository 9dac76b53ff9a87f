package import Conversation

/// What a simulated caller does, step by step, and what it expects. Written as YAML.
package struct Scenario: Sendable, Hashable {
    /// One thing the caller does.
    package enum Action: Sendable, Hashable {
        case say(String)
        case text(String)
        case dtmf(String)
        /// Only waits.
        case silence
        case hangUp
    }

    /// When the caller does it.
    package enum Moment: Sendable, Hashable {
        /// After the agent has spoken and fallen silent.
        case afterAgent
        /// This long after the agent has begun to speak: an interruption.
        case intoAgent
        /// As soon as the step before is done.
        case afterStep
    }

    package struct Step: Sendable, Hashable {
        package var action: Action
        package var moment: Moment
        /// Milliseconds after the moment.
        package var delay: Int
        /// Texts of which each must be part of what the agent says next (case-insensitive).
        package var expectAgent: [String]
        /// Text that must be part of what was understood.
        package var expectHeard: String?

        package init(
            _ action: Action, moment: Moment = .afterAgent, delay: Int = 300, expectAgent: [String] = [], expectHeard: String? = nil
        ) {
            self.action = action
            self.moment = moment
            self.delay = delay
            self.expectAgent = expectAgent
            self.expectHeard = expectHeard
        }
    }

    package var name: String
    package var agent: String?
    /// flite voice of the caller.
    package var voice: String
    package var speed: Double
    package var steps: [Step]
    /// Milliseconds a step may wait for its moment before the call counts as failed.
    package var patience: Int
    /// How the call must end: `agent` (the agent hangs up), `caller`, or nil for either.
    package var endedBy: String?

    package init(
        name: String, agent: String? = nil, voice: String = "rms", speed: Double = 1, steps: [Step], patience: Int = 20_000,
        endedBy: String? = nil
    ) {
        self.name = name
        self.agent = agent
        self.voice = voice
        self.speed = speed
        self.steps = steps
        self.patience = patience
        self.endedBy = endedBy
    }

    /// The demo call: answers the five questions of `lead-qualification`.
    package static let demo = Scenario(
        name: "demo", agent: "lead-qualification",
        steps: [
            Step(.say("Hi, my name is Sarah Miller.")),
            Step(.say("I work for Northern Logistics.")),
            Step(.say("We need a dashboard for our sales team.")),
            Step(.say("About twenty five thousand dollars.")),
            Step(.say("In three months.")),
        ], endedBy: "agent")
}

extension Scenario {
    /// Reads a scenario file; every problem of it is reported with its line.
    package static func read(_ text: String, source: String) throws(ConfigurationFileError) -> Scenario {
        try ConfigurationFile.read(text, source: source) { node in
            var scenario = Scenario(name: node.requiredString("scenario"), steps: [])
            scenario.agent = node.string("agent")
            scenario.voice = node.string("voice") ?? scenario.voice
            scenario.speed = node.number("speed", in: 0.5...2) ?? scenario.speed
            scenario.patience = node.integer("patience_ms", in: 500...600_000) ?? scenario.patience
            scenario.endedBy = node.string("ended_by")
            scenario.steps = node.sequence("steps").compactMap(step)
            if scenario.steps.isEmpty { node.fail("needs at least one entry under 'steps'") }
            return scenario
        }
    }

    private static func step(_ node: ConfigurationNode) -> Step? {
        var node = node
        var actions: [Action] = []
        if let text = node.string("say") { actions.append(.say(text)) }
        if let text = node.string("text") { actions.append(.text(text)) }
        if let digits = node.string("dtmf") { actions.append(.dtmf(digits)) }
        if node.boolean("silence") == true { actions.append(.silence) }
        if node.boolean("hang_up") == true { actions.append(.hangUp) }
        var moment = Moment.afterAgent
        var delay = 300
        switch node.string("when") {
        case nil, "after_agent": break
        case "into_agent":
            moment = .intoAgent
            delay = 800
        case "after_step": moment = .afterStep
        case let other?: node.child("when").fail("is '\(other)'; must be after_agent, into_agent or after_step")
        }
        delay = node.integer("delay_ms", in: 0...600_000) ?? delay
        let expectAgent = node.strings("expect_agent")
        let expectHeard = node.string("expect_heard")
        node.finish()
        guard actions.count == 1, let action = actions.first else {
            node.fail("needs exactly one of say, text, dtmf, silence, hang_up")
            return nil
        }
        return Step(action, moment: moment, delay: delay, expectAgent: expectAgent, expectHeard: expectHeard)
    }
}

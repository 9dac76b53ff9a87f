/// Where a simulated caller is in its scenario. Pure: told what happens, says what to do.
struct CallerScript {
    enum Event: Equatable {
        case agentAudible
        case agentSilent
        /// The caller's own line has been said to its end.
        case lineSaid
        case tick
    }
    enum Action: Equatable {
        case perform(Int)
        case fail(String)
        /// All steps are done.
        case finished
    }

    private enum State: Equatable {
        /// Waits for the moment of a step since a time.
        case waiting(step: Int, since: Int64)
        /// The moment was there; the delay runs.
        case delaying(step: Int, until: Int64)
        case speaking(step: Int)
        case done
    }

    private let scenario: Scenario
    private var state: State
    private var isAgentAudible = false
    /// The agent has spoken since the caller's last step.
    private var hasAgentSpoken = false

    init(_ scenario: Scenario, now: Int64) {
        self.scenario = scenario
        state = scenario.steps.isEmpty ? .done : .waiting(step: 0, since: now)
    }

    var isDone: Bool { state == .done }

    mutating func handle(_ event: Event, now: Int64) -> [Action] {
        switch event {
        case .agentAudible:
            isAgentAudible = true
            hasAgentSpoken = true
        case .agentSilent: isAgentAudible = false
        case .lineSaid:
            if case .speaking(let step) = state { return next(after: step, now) }
        case .tick: break
        }
        return advance(now)
    }

    private mutating func advance(_ now: Int64) -> [Action] {
        switch state {
        case .waiting(let index, let since):
            let step = scenario.steps[index]
            if isMoment(step.moment) {
                state = .delaying(step: index, until: now + Int64(step.delay) * 1_000_000)
                return advance(now)
            }
            if now - since > Int64(scenario.patience) * 1_000_000 {
                state = .done
                return [.fail("step \(index + 1) waited \(scenario.patience) ms for the agent")]
            }
            return []
        case .delaying(let index, let until):
            let step = scenario.steps[index]
            if step.moment == .afterAgent, isAgentAudible {
                // The agent goes on after a pause: a polite caller lets it.
                state = .waiting(step: index, since: now)
                return []
            }
            guard now >= until else { return [] }
            hasAgentSpoken = false
            if case .say = step.action {
                state = .speaking(step: index)
                return [.perform(index)]
            }
            return [.perform(index)] + next(after: index, now)
        case .speaking, .done: return []
        }
    }

    private func isMoment(_ moment: Scenario.Moment) -> Bool {
        switch moment {
        case .afterAgent: hasAgentSpoken && !isAgentAudible
        case .intoAgent: isAgentAudible
        case .afterStep: true
        }
    }

    private mutating func next(after index: Int, _ now: Int64) -> [Action] {
        guard index + 1 < scenario.steps.count else {
            state = .done
            return [.finished]
        }
        state = .waiting(step: index + 1, since: now)
        return []
    }
}

import CallerSimulator
import Conversation
import Testing

@Suite struct ScenarioTests {
    @Test func aScenarioFileIsRead() throws {
        let scenario = try Scenario.read(
            """
            scenario: interruption
            agent: lead-qualification
            ended_by: caller
            steps:
              - say: My name is John Smith.
                expect_heard: john smith
                expect_agent: [John Smith]
              - say: Wait.
                when: into_agent
                delay_ms: 500
              - hang_up: true
                when: after_step
            """, source: "s.yaml")
        #expect(scenario.steps.count == 3)
        #expect(scenario.steps[0].expectAgent == ["John Smith"])
        #expect(scenario.steps[1].moment == .intoAgent)
        #expect(scenario.steps[1].delay == 500)
        #expect(scenario.steps[2].action == .hangUp)
        #expect(scenario.endedBy == "caller")
    }

    @Test func aStepNeedsExactlyOneAction() {
        let error = #expect(throws: ConfigurationFileError.self) {
            try Scenario.read("scenario: x\nsteps:\n  - say: a\n    text: b\n  - when: later\n    silence: true\n", source: "s.yaml")
        }
        #expect(error?.description.contains("exactly one of say, text, dtmf, silence, hang_up") == true)
        #expect(error?.description.contains("must be after_agent, into_agent or after_step") == true)
    }
}

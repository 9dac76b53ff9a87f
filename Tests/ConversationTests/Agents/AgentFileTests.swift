import Audio
import Conversation
import Foundation
import SpeechDetection
import Testing

@Suite struct AgentFileTests {
    @Test func aSmallFileGetsDefaults() throws {
        let agent = try AgentFile.read("agent: helper\ninstructions: Help.\npipeline:\n  llm: openai/gpt-4o-mini\n", source: "a.yaml")
        #expect(agent.name == "helper")
        #expect(agent.pipeline.languageModels == [.init("openai/gpt-4o-mini")])
        #expect(agent.pipeline.speechToText.name == "local/pocketsphinx")
    }

    @Test func aMisspeltKeyIsNamedWithItsLineAndTheNearestKnownOne() {
        let error = #expect(throws: ConfigurationFileError.self) {
            try AgentFile.read("agent: helper\ninstrutions: Help.\npipeline: {llm: openai/x}\n", source: "a.yaml")
        }
        #expect(error?.description.contains("a.yaml: line 2: has the unknown key 'instrutions'; did you mean 'instructions'?") == true)
    }

    @Test func allProblemsAreReportedAtOnce() {
        let error = #expect(throws: ConfigurationFileError.self) {
            try AgentFile.read(
                "agent: Bad Name\npipeline:\n  llm: openai/x\n  speed: 9\n  vad: quik\ntools: [record_leed]\n", source: "a.yaml")
        }
        #expect(error?.problems.map(\.path) == ["agent", "pipeline.vad", "pipeline.speed", "tools[0]"])
        #expect(error?.description.contains("did you mean 'quick'?") == true)
        #expect(error?.description.contains("did you mean 'record_lead'?") == true)
    }

    @Test func settingsOverAProfileAreChecked() throws {
        let agent = try AgentFile.read(
            "agent: a\npipeline: {llm: openai/x, vad: {profile: quick, min_silence_ms: 300}}\nturn_taking: {profile: quick, max_delay_milliseconds: 3000}\n",
            source: "a.yaml")
        #expect(agent.pipeline.voiceActivity.minSilence.milliseconds == 300)
        #expect(agent.turnTaking.maxDelayMilliseconds == 3_000)
        #expect(throws: ConfigurationFileError.self) {
            try AgentFile.read("agent: a\npipeline: {llm: openai/x}\nturn_taking: {min_dely: 3}\n", source: "a.yaml")
        }
    }

    @Test func theScriptedModelNeedsAFlow() {
        let error = #expect(throws: ConfigurationFileError.self) { try AgentFile.read("agent: a\n", source: "a.yaml") }
        #expect(error?.description.contains("'scripted' but has no 'flow'") == true)
    }

    @Test func toolsSayWhoRunsThem() throws {
        let text = "agent: a\npipeline: {llm: openai/x}\ntools:\n  - {name: x, description: d}\n  - {name: y, description: d, run: client, idempotent: true}\n"
        let tools = try AgentFile.read(text, source: "a.yaml").tools
        #expect(tools.map(\.implementation) == [.http, .client])
        #expect(tools.map(\.idempotent) == [false, true])
        let error = #expect(throws: ConfigurationFileError.self) {
            try AgentFile.read(text.replacingOccurrences(of: "run: client", with: "run: clint"), source: "a.yaml")
        }
        #expect(error?.description.contains("is 'clint'; must be one of http, client; did you mean 'client'?") == true)
    }

    @Test(arguments: ["", "- a\n- b\n", "agent: [", "agent: a\nagent: b\n", "just text"]) func garbageIsAnError(_ text: String) {
        #expect(throws: ConfigurationFileError.self) { try AgentFile.read(text, source: "a.yaml") }
    }
}

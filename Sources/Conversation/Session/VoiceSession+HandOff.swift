import Audio
import Foundation
import Logging
import NIOCore
import SessionLog
import SwiftProtobuf

/// An agent that a conversation can be handed to: its pinned version, and the providers that it talks through.
package struct HandOffTarget: Sendable {
    package var agent: AgentDefinition
    /// Content hash of the version, for the log.
    package var hash: String
    package var providers: SessionProviders

    package init(agent: AgentDefinition, hash: String, providers: SessionProviders) {
        self.agent = agent
        self.hash = hash
        self.providers = providers
    }
}

/// What the `hand_off` tool was called with.
struct HandOff: Equatable, Decodable {
    var agent: String
    var reason: String?
}

/// One agent hands the conversation to another one: instructions, models, voice, flow and turn taking become the new agent's. What was
/// said and what is known of the caller stay. Speech detection keeps its parameters.
extension VoiceSession {
    /// The agents that are there to be handed to, with when to do that.
    private var colleagues: [String: String] { agent.handOffs.filter { handOffs[$0.key] != nil } }

    /// The tools that the model is offered.
    var offeredTools: [ToolConfiguration] {
        var tools = agent.tools
        if !colleagues.isEmpty { tools.append(BuiltInTool.handOff(to: colleagues)) }
        if !agent.transfers.isEmpty { tools.append(BuiltInTool.transfer(to: agent.transfers)) }
        return tools
    }

    /// Takes note of a hand-off; it happens when the reply that asked for it has been heard.
    func prepareHandOff(_ call: ToolCall, in number: ReplyNumber) -> ToolOutcomeReport {
        guard let wanted = try? JSONDecoder().decode(HandOff.self, from: Data(call.arguments.utf8)) else {
            return .init(.failed, content: #"the arguments of hand_off must be like {"agent": "name"}"#)
        }
        guard colleagues[wanted.agent] != nil else {
            let known = colleagues.keys.sorted().joined(separator: ", ")
            return .init(.failed, content: "there is no colleague '\(wanted.agent)'; there are: \(known)")
        }
        replies[number]?.handOff = wanted
        return .init(.succeeded, content: #"{"handed_off":true}"#)
    }

    func take(_ handOff: HandOff) {
        guard isLive, let target = handOffs[handOff.agent] else { return }
        log(
            .handedOff(
                .with {
                    $0.from = agent.name
                    $0.to = target.agent.name
                    $0.reason = handOff.reason ?? ""
                    $0.agentHash = target.hash
                }))
        let before = agent
        agent = target.agent
        providers = target.providers
        flow = FlowPosition(slots: flow.slots)
        turns.adopt(agent.turnSettings, language: agent.language)
        voice?.close()
        voiceIndex = 0
        openVoice()
        speakAgain()
        let (old, new) = (before.pipeline, agent.pipeline)
        guard old.speechToText != new.speechToText || old.keyterms != new.keyterms || before.language != agent.language
        else { return }
        recognition?.close()
        openRecogniser()
    }

    /// The first words of an agent that has taken over.
    func introduce() {
        if agent.greeting == nil { agent.greeting = .init() }
        greet()
    }
}

extension AgentDefinition {
    /// How its conversations take turns.
    var turnSettings: TurnSettings {
        var settings = turnTaking
        settings.idleMilliseconds = limits.idleSeconds * 1_000
        return settings
    }
}

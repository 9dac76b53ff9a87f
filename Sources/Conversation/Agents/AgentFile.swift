import Audio
import SpeechDetection

/// Reads an agent from its YAML file. Every problem of the file is reported at once, with line, path and what is allowed.
package enum AgentFile {
    /// `source` names the file in errors.
    package static func read(_ text: String, source: String) throws(ConfigurationFileError) -> AgentDefinition {
        try ConfigurationFile.read(text, source: source) { node in definition(&node) }
    }

    private static func definition(_ node: inout ConfigurationNode) -> AgentDefinition {
        let name = node.requiredString("agent")
        if !name.isEmpty, !isName(name) {
            node.child("agent").fail("is '\(name)'; must be lower-case letters, digits and dashes, at most 64 of them")
        }
        var definition = AgentDefinition(name: name, instructions: node.string("instructions") ?? "")
        definition.language = node.string("language") ?? definition.language
        definition.pipeline = node.mapping("pipeline", pipeline) ?? definition.pipeline
        definition.turnTaking = turnTaking(&node)
        definition.greeting = node.mapping("greeting") {
            .init(say: $0.string("say"), interruptible: $0.boolean("interruptible") ?? true)
        }
        definition.flow = node.mapping("flow", flow)
        definition.tools = tools(&node)
        definition.handOffs = node.texts("hand_off_to")
        for name in definition.handOffs.keys.sorted() where !isName(name) || name == definition.name {
            node.child("hand_off_to").fail("names '\(name)'; must be the names of other agents")
        }
        definition.transfers = node.mapping("transfer_to", transfers) ?? [:]
        definition.limits = node.mapping("limits", limits) ?? definition.limits
        definition.backend = backend(node.child("backend"))
        definition.placement = node.mapping("placement", placement) ?? definition.placement
        definition.pronunciation = node.texts("pronunciation")
        definition.apology = node.string("apology") ?? definition.apology
        definition.repeatRequest = node.string("repeat_request") ?? definition.repeatRequest
        definition.deafNotice = node.string("deaf_notice") ?? definition.deafNotice
        definition.idlePrompt = node.string("idle_prompt") ?? definition.idlePrompt
        let scripted = definition.pipeline.languageModels.contains { $0.name == "scripted" }
        if scripted, definition.flow == nil { node.fail("names the language model 'scripted' but has no 'flow'") }
        return definition
    }

    private static func isName(_ name: String) -> Bool {
        name.utf8.count <= 64 && name.utf8.allSatisfy { ($0 >= 97 && $0 <= 122) || ($0 >= 48 && $0 <= 57) || $0 == 45 }
    }

    private static func pipeline(_ node: inout ConfigurationNode) -> AgentDefinition.Pipeline {
        var pipeline = AgentDefinition.Pipeline()
        let stt = node.sequence("stt").compactMap(provider)
        if stt.count > 1 { node.child("stt").fail("takes one recogniser") }
        pipeline.speechToText = stt.first ?? pipeline.speechToText
        let llm = node.sequence("llm").compactMap(provider)
        if !llm.isEmpty { pipeline.languageModels = llm }
        let tts = node.sequence("tts").compactMap(provider)
        if !tts.isEmpty { pipeline.textToSpeech = tts }
        pipeline.voiceActivity = voiceActivity(&node)
        pipeline.turnModel = node.boolean("turn_model") ?? pipeline.turnModel
        pipeline.voice = node.string("voice")
        pipeline.speed = node.number("speed", in: 0.5...2) ?? pipeline.speed
        pipeline.temperature = node.number("temperature", in: 0...2)
        pipeline.maxOutputTokens = node.integer("max_output_tokens", in: 16...8_192) ?? pipeline.maxOutputTokens
        pipeline.keyterms = node.strings("keyterms")
        return pipeline
    }

    /// A name, or `{use: name, options...}`; whether there is such a backend, and has the options, is for whoever has backends to say.
    private static func backend(_ node: ConfigurationNode) -> AgentDefinition.ProviderChoice? {
        guard node.exists, let choice = provider(node) else { return nil }
        if !isName(choice.name) { node.fail("is '\(choice.name)'; must be the name of a backend, such as pipecat or livekit") }
        return choice
    }

    /// `vendor/model`, or `{use: vendor/model, options...}`.
    private static func provider(_ node: ConfigurationNode) -> AgentDefinition.ProviderChoice? {
        if let name = node.scalar, !name.isEmpty { return .init(name) }
        guard node.isMapping else {
            node.fail("must be 'vendor/model' or a mapping with the key 'use'")
            return nil
        }
        var node = node
        let name = node.requiredString("use")
        let options = node.texts("options")
        node.finish()
        return .init(name, options: options)
    }

    private static func voiceActivity(_ node: inout ConfigurationNode) -> VADParameters {
        let profiles = ["quick": VADParameters.quick, "pipecat": .pipecat, "livekit": .livekit]
        let child = node.child("vad")
        guard child.exists else { return .quick }
        if let name = child.scalar { return profile(name, child, profiles, standard: .quick) }
        return node.mapping("vad") { node in
            let base = node.string("profile").map { profile($0, node.child("profile"), profiles, standard: .quick) }
            var parameters = base ?? .quick
            func milliseconds(_ key: String, _ value: SessionTime) -> SessionTime {
                node.integer(key, in: 0...10_000).map { SessionTime(milliseconds: Int64($0)) } ?? value
            }
            parameters.activation = node.number("activation", in: 0.01...1).map(Float.init) ?? parameters.activation
            parameters.deactivation = node.number("deactivation", in: 0.01...1).map(Float.init) ?? parameters.deactivation
            parameters.minSpeech = milliseconds("min_speech_ms", parameters.minSpeech)
            parameters.minSilence = milliseconds("min_silence_ms", parameters.minSilence)
            parameters.prefixPadding = milliseconds("prefix_padding_ms", parameters.prefixPadding)
            parameters.smoothing = node.number("smoothing", in: 0...1).map(Float.init) ?? parameters.smoothing
            return parameters
        } ?? .quick
    }

    private static func profile<Settings>(
        _ name: String, _ place: ConfigurationNode, _ profiles: [String: Settings], standard: Settings
    ) -> Settings {
        if let found = profiles[name] { return found }
        let known = profiles.keys.sorted()
        place.fail("is '\(name)'; must be one of \(known.joined(separator: ", "))" + suggestion(for: name, among: known))
        return standard
    }

    private static func turnTaking(_ node: inout ConfigurationNode) -> TurnSettings {
        let value = settings(
            &node, "turn_taking", profiles: ["balanced": TurnSettings.balanced, "quick": .quick, "patient": .patient],
            standard: .balanced)
        do {
            try value.validate()
        } catch {
            node.child("turn_taking").fail("\(error)")
        }
        return value
    }

    /// A profile by name, or a mapping with `profile` and single settings over it.
    private static func settings<Settings: Codable>(
        _ node: inout ConfigurationNode, _ key: String, profiles: [String: Settings], standard: Settings
    ) -> Settings {
        let child = node.child(key)
        guard child.exists else { return standard }
        if let name = child.scalar { return profile(name, child, profiles, standard: standard) }
        return node.mapping(key) { mapping in
            let base = mapping.string("profile").map {
                profile($0, mapping.child("profile"), profiles, standard: standard)
            } ?? standard
            return SettingsOverride.apply(to: base, from: &mapping)
        } ?? standard
    }

    private static func flow(_ node: inout ConfigurationNode) -> LeadFlow {
        let slots = node.sequence("slots").map { element in
            var element = element
            let slot = LeadFlow.Slot(
                name: element.requiredString("name"), kind: element.choice("kind", of: LeadFlow.Kind.self) ?? .text,
                question: element.requiredString("question"), again: element.string("again"),
                confirmation: element.string("confirmation"), grammar: element.string("grammar"),
                required: element.boolean("required") ?? true)
            element.finish()
            return slot
        }
        if slots.isEmpty { node.fail("needs at least one entry under 'slots'") }
        return LeadFlow(
            record: node.string("record") ?? "lead", slots: slots, opening: node.string("opening"), closing: node.string("closing") ?? "Thank you. Goodbye.",
            offTopic: node.string("off_topic") ?? "I am afraid I cannot help with that here.",
            notUnderstood: node.string("not_understood") ?? "Sorry, I did not get that.")
    }

    /// Targets of transfers by name, each `{to: tel:+49…, when: …}`.
    private static func transfers(_ node: inout ConfigurationNode) -> [String: TransferTarget] {
        var targets: [String: TransferTarget] = [:]
        for name in node.keys {
            if !isName(name) { node.fail("names '\(name)'; names are lower-case letters, digits and dashes") }
            targets[name] = node.mapping(name) { node in
                let uri = node.requiredString("to")
                if !uri.isEmpty, !TransferTarget.isURI(uri) {
                    node.child("to").fail("is '\(uri)'; must be like tel:+4930123456 or sip:user@host")
                }
                return TransferTarget(uri: uri, occasion: node.requiredString("when"))
            }
        }
        return targets
    }

    private static func limits(_ node: inout ConfigurationNode) -> AgentDefinition.Limits {
        var limits = AgentDefinition.Limits()
        limits.maxDurationSeconds = node.integer("max_duration_seconds", in: 10...86_400) ?? limits.maxDurationSeconds
        limits.maxToolSteps = node.integer("max_tool_steps", in: 0...20) ?? limits.maxToolSteps
        limits.maxContextItems = node.integer("max_context_items", in: 4...10_000) ?? limits.maxContextItems
        limits.maxContextTokens = node.integer("max_context_tokens", in: 500...1_000_000) ?? limits.maxContextTokens
        limits.idleSeconds = node.integer("idle_seconds", in: 0...600) ?? limits.idleSeconds
        return limits
    }

    private static func placement(_ node: inout ConfigurationNode) -> AgentDefinition.Placement {
        let labels = node.strings("labels")
        if let label = labels.first(where: { !isName($0) || $0.isEmpty }) {
            node.child("labels").fail("has '\(label)'; labels are lower-case letters, digits and dashes")
        }
        return .init(labels: Set(labels), weight: node.number("weight", in: 0.1...10_000))
    }

    private static func tools(_ node: inout ConfigurationNode) -> [ToolConfiguration] {
        node.sequence("tools").compactMap { element in
            if let name = element.scalar { return builtIn(name, element) }
            var element = element
            var tool = ToolConfiguration(name: element.requiredString("name"), implementation: .http)
            if let place = element.choice("run", of: ToolPlace.self) { tool.implementation = place.implementation }
            tool.description = element.requiredString("description")
            tool.parametersSchema = element.string("parameters") ?? #"{"type":"object","properties":{}}"#
            tool.idempotent = element.boolean("idempotent") ?? false
            tool.sideEffects = element.boolean("side_effects") ?? true
            tool.timeoutMilliseconds = element.integer("timeout_ms", in: 100...120_000) ?? tool.timeoutMilliseconds
            element.finish()
            return tool
        }
    }

    /// Where a tool of an agent file runs.
    private enum ToolPlace: String, CaseIterable {
        case http, client
        var implementation: ToolConfiguration.Implementation { self == .http ? .http : .client }
    }

    private static func builtIn(_ name: String, _ node: ConfigurationNode) -> ToolConfiguration? {
        if let tool = BuiltInTool.named.first(where: { $0.rawValue == name }) { return tool.configuration }
        let all = BuiltInTool.named.map(\.rawValue)
        node.fail("is '\(name)'; built-in tools are \(all.joined(separator: ", "))" + suggestion(for: name, among: all))
        return nil
    }
}

import BackendKit
import Foundation
import WireCoding

/// The hook by which `pipecat eval` drives an agent: client messages that reach deeper than a client may, so it is off unless the operator switches it on.
/// Encoded it is what another worker must know.
struct RTVIEvaluation: Codable {
    private static let mostMessages = 200
    private static let mostLevels = 200
    private static let longestToolName = 128
    private static let longestHistory = 256 << 10

    /// The harness listens to the agent by itself, in messages of its own.
    private(set) var capturesAudio = false
    private(set) var reportsVoice = false
    private(set) var toolReports = RTVIToolReports()

    /// `record`: what `record` said; empty where nothing was asked for.
    init(record: Substring) {
        if let known = try? JSONDecoder().decode(Self.self, from: Data(record.utf8)) { self = known }
    }

    /// JSON on one line.
    var record: String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        return (try? encoder.encode(self)).map { String(decoding: $0, as: UTF8.self) } ?? ""
    }

    /// What a client message of the harness means; nil for one that is not the harness's.
    mutating func messages(
        for type: String, _ argument: JSONValue, _ request: RTVIRequest
    ) throws(RTVIProblem) -> [RTVIConversation.Meaning]? {
        switch type {
        case "eval-connect":
            capturesAudio = argument["capture_bot_audio"].bool ?? false
            return [.input(.audioOutput(!(argument["skip_tts"].bool ?? false)))]
        case "eval-configure":
            try configure(argument, request)
            return [.recordChanged]
        case "eval-context": return [.input(.history(try history(argument["messages"], request)))]
        case "eval-cancel": return [.input(.hangUp)]
        case "eval-image": throw request.problem("eval-image: this agent takes no images")
        default: return nil
        }
    }

    private mutating func configure(_ argument: JSONValue, _ request: RTVIRequest) throws(RTVIProblem) {
        var levels = toolReports.levels
        for (tool, value) in argument["function_call_report_level"].members {
            guard let level = value.string.flatMap(RTVIToolReports.Level.init) else {
                let known = RTVIToolReports.Level.allCases.map(\.rawValue).joined(separator: ", ")
                throw request.problem("eval-configure: the report level of '\(tool)' must be one of \(known)")
            }
            guard levels.count < Self.mostLevels, tool.utf8.count <= Self.longestToolName else {
                throw request.problem(
                    "eval-configure: at most \(Self.mostLevels) report levels, for names of \(Self.longestToolName) bytes, are taken")
            }
            levels[tool] = level
        }
        if argument["llm_markers"].bool == true { throw request.problem("eval-configure: this agent's models write no markers") }
        toolReports.levels = levels
        if let wanted = argument["vad_user_speaking"].bool { reportsVoice = wanted }
    }

    private func history(_ messages: JSONValue, _ request: RTVIRequest) throws(RTVIProblem) -> [HistoryMessage] {
        let elements = messages.elements
        guard messages.isArray, elements.count <= Self.mostMessages, messages.rawText.utf8.count <= Self.longestHistory else {
            throw request.problem("eval-context: 'messages' must be at most \(Self.mostMessages) messages of \(Self.longestHistory) bytes")
        }
        var history: [HistoryMessage] = []
        for element in elements {
            guard let role = element["role"].string, ["user", "assistant"].contains(role), let text = element["content"].string else {
                throw request.problem("eval-context: messages must have the role user or assistant, and a text as their content")
            }
            history.append(HistoryMessage(isAgent: role == "assistant", text: text))
        }
        return history
    }
}

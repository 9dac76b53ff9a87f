import Audio
import BackendKit
import Foundation
import NIOCore
import PipecatBackend
import Testing

/// A Python with `Tests/python/requirements.txt`.
private let python = ProcessInfo.processInfo.environment["PARLEY_TEST_PYTHON"]

/// Pipecat's own models judge every message that an agent sends.
@Suite(.enabled(if: python != nil, "PARLEY_TEST_PYTHON is not set"), .timeLimit(.minutes(2)))
struct RTVIModelTests {
    private static let sentence = SentenceID(reply: 1, index: 0)

    private static var latency: TurnLatency {
        var latency = TurnLatency(reply: 1)
        latency.speechEnd = 1_000_000
        for (index, part) in TurnLatency.Part.allCases.enumerated() { latency.mark(part, at: Int64(index + 2) * 10_000_000) }
        return latency
    }

    private static func usage(_ kind: ProviderUsage.Kind) -> ClientNotice {
        var usage = ProviderUsage(kind, provider: "vendor/model")
        usage.inputTokens = 120
        usage.cachedInputTokens = 20
        usage.outputTokens = 17
        usage.characters = 44
        usage.audioSeconds = 3.25
        return .usage(usage)
    }

    /// One of each, with everything that can be in it.
    private static var notices: [ClientNotice] {
        [
            .userStartedSpeaking, .userStoppedSpeaking, .userTranscript(text: "I wa", final: false, at: .zero),
            .userTranscript(text: "I want \"tea\"\n", final: true, at: .zero), .userBackchannel("mhm"), .userTurn(text: "Tea.", input: .speech),
            .userTurn(text: "Tea.", input: .text), .userTurn(text: "1#", input: .dtmf), .agentThinking(1), .agentText(1, "We "),
            .agentFinishedThinking(1), .sentence(sentence, text: "We sell tea.", .new), .sentence(sentence, text: "We sell tea.", .inProgress),
            .spoken(sentence, text: "We", remaining: " sell tea."), .sentence(sentence, text: "We sell tea.", .completed),
            .sentence(sentence, text: "We sell tea.", .textOnly), .agentStartedSpeaking(1), .agentStoppedSpeaking(1), .interrupted(1),
            .toolStarted(name: "f", call: "c1", arguments: #"{"a":{"b":[1,2]}}"#), .toolRequested(name: "f", call: "c2", arguments: #"{"a":1}"#),
            .toolEnded(name: "f", call: "c1", cancelled: false, result: #"{"ok":true}"#), .toolEnded(name: "f", call: "c2", cancelled: true, result: ""),
            .latency(latency), usage(.languageModel), usage(.textToSpeech), usage(.speechToText), .error(message: "broken", fatal: false),
            .error(message: "over", fatal: true), .response(id: "q", type: "state", json: #"{"state":"speaking"}"#),
            .errorResponse(id: "q", message: "no"), .resumable(token: "t", windowSeconds: 30),
        ]
    }

    /// All messages of a conversation with a client of this version.
    private static func messages(_ framing: Framing, version: String, evaluates: Bool) throws -> [String] {
        var peer = RTVIPeer(framing, version: nil, evaluates: evaluates)
        _ = peer.send(type: "client-ready", id: "r", data: #"{"version":"\#(version)","about":{"library":"x"}}"#)
        var lines = try peer.codec.encode(.ready).map(framing.text)
        if evaluates {
            let levels = #"{"t":"eval-configure","d":{"function_call_report_level":{"*":"full"},"vad_user_speaking":true}}"#
            _ = peer.send(type: "client-message", data: levels)
        }
        _ = peer.send(type: "send-text", id: "m", data: #"{"content":"Tea."}"#)
        for notice in notices { lines += try peer.codec.encode(notice).map(framing.text) }
        let refused = [peer.send(type: "nonsense"), peer.send(type: "client-ready", id: "r", data: #"{"version":"9.0.0"}"#), peer.send("{}")]
        lines += refused.flatMap(\.answers).map { String(buffer: $0.encode()) }
        if framing == .json {
            lines.append(peer.audio((0..<320).map { Int16($0) }))
            if let message = peer.codec.interruption() { lines.append(try framing.text(message)) }
        }
        return lines
    }

    @Test func everyMessageIsWhatPipecatWouldSend() async throws {
        var lines = try ["2.2.0", "1.4.0"].flatMap { version in
            try Framing.allCases.flatMap { try Self.messages($0, version: version, evaluates: false) }
        }
        lines += try Self.messages(.json, version: "2.2.0", evaluates: true)
        lines += [try Framing.protobuf.text(PipecatCodec.fatal("closed")), try Framing.protobuf.text(PipecatCodec.waiting(position: 3))]
        let folder = FileManager.default.temporaryDirectory.appending(path: "parley-rtvi-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = folder.appending(path: "messages.jsonl")
        try lines.joined(separator: "\n").write(to: file, atomically: true, encoding: .utf8)
        let log = folder.appending(path: "output")
        let status = try await Self.check(file, logging: log)
        let output = try String(contentsOf: log, encoding: .utf8)
        #expect(status == 0, "\(output)")
    }

    private static func check(_ file: URL, logging log: URL) async throws -> Int32 {
        _ = FileManager.default.createFile(atPath: log.path, contents: nil)
        let output = try FileHandle(forWritingTo: log)
        let script = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().appending(path: "python/check_rtvi_messages.py")
        let process = Process()
        process.executableURL = URL(filePath: python ?? "")
        process.arguments = [script.path, file.path]
        process.standardOutput = output
        process.standardError = output
        return try await withCheckedThrowingContinuation { continuation in
            process.terminationHandler = { continuation.resume(returning: $0.terminationStatus) }
            do { try process.run() } catch { continuation.resume(throwing: error) }
        }
    }
}

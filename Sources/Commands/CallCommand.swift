import ArgumentParser
import Audio
import CallerSimulator
import Foundation
import NIOCore
import NIOPosix
import WebSocket

/// `parley call`: a spoken conversation with a simulated caller, in real time.
struct CallCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "call", abstract: "Holds a spoken conversation with an agent, with a simulated caller.",
        discussion: """
            Without --scenario the caller answers the five questions of the lead-qualification agent. With it, the exit status says \
            whether the call went as the scenario expects.
            """)

    @OptionGroup var target: CallTarget
    @Option(help: "The agent to call. Default: the scenario's, else lead-qualification.") var agent: String?
    @Option(help: "A YAML file: what the caller says and when, and what is expected.") var scenario: String?
    @Option(help: "Write both sides as a stereo WAV file: left the caller, right the agent.") var record: String?
    @Flag(help: "Send a WAV header with every packet, as Pipecat's client does.") var wavHeaders = false
    @Flag(help: "Print the timings as JSON.") var json = false

    func run() async throws {
        let scenario = try loadScenario()
        let speeches = try SimulatedCaller.speeches(for: scenario)
        var options = SimulatedCaller.Options()
        options.record = record != nil
        options.wavHeaders = wavHeaders
        if !json {
            options.show = { line in
                print(Self.text(of: line))
                // The transcript appears as it happens, also through a pipe.
                fflush(nil)
            }
        }
        let request = try target.request(agent: agent ?? scenario.agent ?? "lead-qualification", parameters: ["resumable": "true"])
        if !json { print("Calling \(agent ?? scenario.agent ?? "lead-qualification") at \(request.url.authority) ...") }
        let (report, tracks) = await Self.call(request, scenario, speeches, options)
        if let record { try save(tracks, to: record) }
        if json { try printJSON(report) } else { print(Self.summary(of: report)) }
        if !report.hasPassed { throw ExitCode(1) }
    }

    /// One call from its connection to its end.
    static func call(
        _ request: WebSocketRequest, _ scenario: Scenario, _ speeches: [Int: CallerSpeech], _ options: SimulatedCaller.Options,
        on eventLoop: any EventLoop = MultiThreadedEventLoopGroup.singleton.next()
    ) async -> (CallReport, [[Int16]]) {
        return await withCheckedContinuation { continuation in
            eventLoop.execute {
                SimulatedCaller.call(
                    request, client: WebSocketClient(), scenario: scenario, speeches: speeches, options: options, on: eventLoop
                ) { report, tracks in
                    continuation.resume(returning: (report, tracks))
                }
            }
        }
    }

    private func loadScenario() throws -> Scenario {
        guard let scenario else { return .demo }
        guard let text = try? String(contentsOfFile: scenario, encoding: .utf8) else {
            throw CommandError("the scenario file '\(scenario)' cannot be read")
        }
        return try Scenario.read(text, source: scenario)
    }

    private func save(_ tracks: [[Int16]], to path: String) throws {
        let length = tracks.map(\.count).max() ?? 0
        var interleaved: [Int16] = []
        interleaved.reserveCapacity(length * 2)
        for index in 0..<length {
            for track in tracks { interleaved.append(index < track.count ? track[index] : 0) }
        }
        try WAVFile(channels: tracks.count, samples: interleaved).write(to: path)
        if !json { print("Recorded \(Double(length) / Double(SessionTime.sampleRate)) s to \(path)") }
    }

    private static func text(of line: CallReport.Line) -> String {
        let time = String(format: "%7.2fs", line.at / 1_000)
        return "\(time)  \(line.speaker == .caller ? "caller" : " agent")  \(line.text)"
    }

    private static func summary(of report: CallReport) -> String {
        var lines = ["", "turn  answered after  interrupted after  understood"]
        for (index, exchange) in report.exchanges.enumerated() {
            let response = exchange.responseMilliseconds.map { String(format: "%9.0f ms", $0) } ?? "           -"
            let barge = exchange.bargeInMilliseconds.map { String(format: "%9.0f ms", $0) } ?? "           -"
            lines.append(String(format: "%4d", index + 1) + "   \(response)       \(barge)  \(exchange.heard)")
        }
        if let ready = report.readyMilliseconds { lines.append(String(format: "connected to bot-ready: %.0f ms", ready)) }
        lines.append(String(format: "call of %.1f s, ended by the %@", report.durationMilliseconds / 1_000, report.endedBy))
        for failure in report.failures { lines.append("FAILED: \(failure)") }
        return lines.joined(separator: "\n")
    }

    private func printJSON(_ report: CallReport) throws {
        let exchanges = report.exchanges.map { exchange -> [String: Any] in
            var object: [String: Any] = ["said": exchange.said, "heard": exchange.heard, "answer": exchange.answer]
            object["response_ms"] = exchange.responseMilliseconds
            object["barge_in_ms"] = exchange.bargeInMilliseconds
            return object
        }
        let object: [String: Any] = [
            "exchanges": exchanges, "failures": report.failures, "ended_by": report.endedBy, "close_code": report.closeCode,
            "duration_ms": report.durationMilliseconds,
        ]
        print(String(decoding: try JSONSerialization.data(withJSONObject: object, options: [.sortedKeys]), as: UTF8.self))
    }
}

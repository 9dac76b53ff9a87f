import ArgumentParser
import Foundation
import HTTPClient
import NIOCore
import NIOPosix

/// `parley backends`: how callers can reach a deployment.
struct BackendsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backends", abstract: "Lists the backends of a deployment with what they can do and whether they can take calls.")

    @OptionGroup var target: CallTarget

    @Flag(help: "Print what the API says, as JSON.")
    var json = false

    func run() async throws {
        let (base, headers) = try target.api()
        let request = HTTPRequest("GET", base + "/v1/backends", headers: headers)
        let response = try await HTTPClient.shared.send(
            request, on: MultiThreadedEventLoopGroup.singleton.next(), maximumBodyBytes: 1 << 20)
        let text = String(buffer: response.body)
        guard response.head.status == 200 else {
            throw CommandError("\(base) answers \(response.head.status): \(text.trimmingCharacters(in: .whitespacesAndNewlines))")
        }
        if json { return print(text) }
        let answer = try JSONDecoder().decode(Answer.self, from: Data(text.utf8))
        for backend in answer.backends { print(backend.lines.joined(separator: "\n")) }
    }

    struct Answer: Decodable {
        struct Option: Decodable {
            var name: String
            var allowed: String
            var help: String
        }

        struct Backend: Decodable {
            var name: String
            var capabilities: [String: Bool]
            var health: String
            var reason: String?
            var options: [Option]
            var websocket_paths: [String]

            var lines: [String] {
                var lines = ["\(name): \(health)" + (reason.map { " (\($0))" } ?? "")]
                lines.append("  can: " + capabilities.filter(\.value).keys.sorted().joined(separator: ", "))
                if !websocket_paths.isEmpty { lines.append("  WebSockets: " + websocket_paths.joined(separator: ", ")) }
                for option in options { lines.append("  \(option.name): \(option.help) (\(option.allowed))") }
                return lines
            }
        }

        var backends: [Backend]
    }
}

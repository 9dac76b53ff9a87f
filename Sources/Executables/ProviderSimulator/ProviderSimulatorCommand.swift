import ArgumentParser
import Foundation
import ProviderSimulator

@main
struct ProviderSimulatorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "provider-simulator",
        abstract:
            "Serves the protocols of Deepgram, OpenAI, Anthropic, ElevenLabs and Cartesia on the loopback interface.",
        discussion: """
            Set the base URLs and keys that it prints, and Parley (or a vendor's own SDK) talks to it as to the real services.

            While it runs: POST /control/script {"tag"?, "append"?, "utterances": ["text" | {"text", "speech_ms"}]} says what callers
            say (tag = session id), POST /control/faults {"vendor", "faults": [{"kind", ...}]} breaks what comes next,
            GET /control/statistics counts.

            A configuration file has these keys, all optional, here with examples:

            \(SimulatorConfiguration.example)
            """)

    @Option(help: "Port to listen on; 0 takes a free one. Overrides the file.")
    var port: Int?

    @Option(help: "A YAML file with the behaviour.")
    var config: String?

    func run() async throws {
        var configuration = SimulatorConfiguration()
        configuration.port = 8_090
        if let config {
            guard let text = try? String(contentsOfFile: config, encoding: .utf8) else {
                throw ValidationError("cannot read \(config)")
            }
            do { configuration = try SimulatorConfiguration(yaml: text) } catch {
                throw ValidationError("\(config): \(error)")
            }
        }
        if let port { configuration.port = port }
        let simulator = try await ProviderSimulator.start(configuration)
        var lines = "listening on \(simulator.url)\n"
        for (name, value) in simulator.environment.sorted(by: { $0.key < $1.key }) {
            lines += "export \(name)=\(value)\n"
        }
        try FileHandle.standardOutput.write(contentsOf: Data(lines.utf8))
        while true { try await Task.sleep(for: .seconds(3_600)) }
    }
}

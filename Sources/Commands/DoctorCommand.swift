import ArgumentParser
import Audio
import CallerSimulator
import Foundation
import LocalProviders
import SpeechDetection

/// `parley doctor`: what of Parley's surroundings works on this machine.
struct DoctorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor", abstract: "Checks models, local speech, PostgreSQL and Redis, and says what to do about what is missing.")

    func run() async throws {
        let environment = ProcessInfo.processInfo.environment
        var isHealthy = true
        func check(_ name: String, _ body: () async throws -> String) async {
            do {
                print("ok      \(name): \(try await body())")
            } catch {
                isHealthy = false
                print("FAILED  \(name): \(error)")
            }
        }
        await check("speech models") {
            let files = ModelFiles(environment: environment)
            let runtime = try OnnxRuntime(files: files)
            _ = try SileroVAD(files: files, runtime: runtime)
            return files.directory
        }
        await check("synthesis (flite)") {
            let speech = try FliteEngine.shared.synthesise("All is well.", voice: "slt")
            return "\(speech.words.count) words, \(speech.samples.count / 16) ms"
        }
        await check("agents") {
            let directory = environment["PARLEY_AGENTS_DIR"] ?? "agents"
            let agents = try AgentFiles.load(directory)
            return agents.map(\.name).joined(separator: ", ")
        }
        if !isHealthy { throw ExitCode(1) }
    }
}

import Audio
import CallerSimulator
import ClusterSupport
import Foundation
import TestDatabases
import Testing

/// A Python with `Tests/python/requirements.txt`; `deploy/local test` makes one.
private let python = ProcessInfo.processInfo.environment["PARLEY_TEST_PYTHON"]

extension ClusterTests {
    /// Pipecat's own `pipecat eval run`, unmodified, drives an agent.
    @Suite(.enabled(if: python != nil, "PARLEY_TEST_PYTHON is not set"))
    struct RTVIEvalTests {
        @Test(arguments: [("lead_by_text", "lead-qualification"), ("lead_by_voice", "voiced"), ("clerk_with_tools", "clerk")])
        func pipecatsEvaluationPasses(scenario: String, agent: String) async throws {
            let bed = try await Testbed.shared()
            let folder = FileManager.default.temporaryDirectory.appending(path: "parley-eval-\(UUID().uuidString)")
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(at: folder) }
            let scripts = TestPostgres.repository + "/Tests/python"
            let file = folder.appending(path: "\(scenario).yaml")
            try FileManager.default.copyItem(at: URL(filePath: "\(scripts)/evals/\(scenario).yaml"), to: file)
            let line = try CallerSpeech(Testbed.lines[0], voice: "rms").samples
            try WAVFile(samples: line).write(to: folder.appending(path: "name.wav").path)
            let token = try await API.token(at: bed.cluster.url(), agent: agent, key: LocalCluster.apiKey)
            let url = Testbed.webSocketAddress(bed.cluster, "token=\(token)", path: "/v1/rtvi")
            let outcome = try await Command.run(
                python ?? "",
                ["-m", "pipecat.evals", "run", file.path, "--bot-url", url, "--verbose", "--timeout", "40", "--logs-dir", folder.path],
                environment: ["PYTHONPATH": scripts, "NO_COLOR": "1"])
            let trace = (try? String(contentsOf: folder.appending(path: "\(scenario).eval.log"), encoding: .utf8)) ?? ""
            #expect(outcome.status == 0, "\(outcome.output)\n\(trace)")
        }

        @Test func whoSwitchesTheHookOnIsToldLoudly() async throws {
            let bed = try await Testbed.shared()
            #expect(bed.cluster.log("media-worker-1").contains("PARLEY_RTVI_EVAL is on"))
        }
    }
}

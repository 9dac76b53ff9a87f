import Foundation
import LiveKitDispatch
import LiveKitSimulator
import Testing

/// A Python that has `livekit-agents` 1.8 (400 MB with all it brings along, so it is not among the packages that all tests get).
private let python = ProcessInfo.processInfo.environment["PARLEY_TEST_LIVEKIT_AGENTS"]

/// LiveKit's own worker, unmodified, at the simulator: if it can work with it, then so can what has been tested against it.
@Suite(.enabled(if: python != nil, "PARLEY_TEST_LIVEKIT_AGENTS is not set: the simulator is not checked with LiveKit's own worker"), .timeLimit(.minutes(2)))
struct VendorWorkerTests {
    @Test func livekitsOwnWorkerTakesJobs() async throws {
        let configuration = AgentServerConfiguration()
        let simulator = try await LiveKitAgentSimulator.start(configuration)
        let script = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "python/check_livekit_worker.py").path
        let output = Pipe()
        let process = Process()
        process.executableURL = URL(filePath: python ?? "")
        process.arguments = [
            script, "--url", simulator.url, "--key", configuration.apiKey, "--secret", configuration.secret, "--agent", "lead", "--jobs", "2",
        ]
        process.standardOutput = output
        process.standardError = output
        async let status: Int32 = withCheckedThrowingContinuation { continuation in
            process.terminationHandler = { continuation.resume(returning: $0.terminationStatus) }
            do { try process.run() } catch { continuation.resume(throwing: error) }
        }
        _ = await simulator.server.wait(within: .seconds(60)) { ($0.worker(named: "lead")?.updates ?? 0) > 0 }
        for room in ["call-1", "call-2"] {
            let id = await simulator.server.dispatch(agentName: "lead", room: room)
            let job = await simulator.server.wait { $0.job(id)?.worker != nil }?.job(id)
            #expect(job?.participant.identity == "vendor-\(id)" && job?.participant.name == "Vendor")
        }
        let ended = try await status
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        #expect(ended == 0 && text.contains("assigned") && text.contains("OK"), "\(text)")
        let violations = await simulator.server.snapshot.violations
        #expect(violations.isEmpty, "\(violations)")
        await simulator.stop()
    }
}

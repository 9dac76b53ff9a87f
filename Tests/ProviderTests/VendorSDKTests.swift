import Foundation
import ProviderSimulator
import Testing

/// The vendors' own Python SDKs against the simulator: their parsers judge it. `PARLEY_TEST_PYTHON` names a Python that has
/// `Tests/python/requirements.txt` installed.
private let python = ProcessInfo.processInfo.environment["PARLEY_TEST_PYTHON"]

@Suite(.enabled(if: python != nil, "PARLEY_TEST_PYTHON is not set"), .timeLimit(.minutes(2)))
struct VendorSDKTests {
    @Test(arguments: ["deepgram", "openai", "anthropic", "elevenlabs", "cartesia"])
    func theVendorsSDKUnderstandsTheSimulator(vendor: String) async throws {
        let script = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "python/check_simulator.py").path
        try await withSimulator {
            $0.language.rules = [
                LanguageRule(
                    "check tools", answer: "One moment.", calls: [.init("record_lead", #"{"name": "Anna"}"#)],
                    afterCalls: "Noted.")
            ]
        } _: { simulator in
            let output = Pipe()
            let process = Process()
            process.executableURL = URL(filePath: python ?? "")
            process.arguments = [script, "--url", simulator.url, "--only", vendor]
            process.standardOutput = output
            process.standardError = output
            let status: Int32 = try await withCheckedThrowingContinuation { continuation in
                process.terminationHandler = { continuation.resume(returning: $0.terminationStatus) }
                do { try process.run() } catch { continuation.resume(throwing: error) }
            }
            let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
            #expect(status == 0 && text.contains("\(vendor): OK"), "\(text)")
        }
    }
}

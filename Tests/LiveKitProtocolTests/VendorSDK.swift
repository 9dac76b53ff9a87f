import Cryptography
import Foundation
import LiveKitProtocol

/// LiveKit's own Python SDK, run by `Tests/python/check_livekit.py`.
enum VendorSDK {
    /// A Python with `Tests/python/requirements.txt`; `deploy/local test` makes one.
    static let python = ProcessInfo.processInfo.environment["PARLEY_TEST_PYTHON"]
    /// The checkout.
    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// What a check printed. Throws when it failed.
    static func check(_ arguments: [String], _ credentials: LiveKitCredentials) async throws -> String {
        let run = try await ProgramRun.run(
            python ?? "", [root.appending(path: "Tests/python/check_livekit.py").path] + arguments,
            environment: ["LIVEKIT_API_KEY": credentials.apiKey, "LIVEKIT_API_SECRET": credentials.secret.revealed])
        guard run.status == 0 else { throw Failure(description: run.output) }
        return run.output
    }
}

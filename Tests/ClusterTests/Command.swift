import Foundation

/// A program run to its end.
enum Command {
    struct Outcome: Sendable {
        var status: Int32
        /// Standard output and standard error.
        var output: String
    }

    /// - Parameter environment: added to this process's.
    static func run(_ executable: String, _ arguments: [String], environment: [String: String] = [:]) async throws
        -> Outcome
    {
        // A file, because a full pipe would hold the program up.
        let file = FileManager.default.temporaryDirectory.appending(path: "parley-test-\(UUID().uuidString).log")
        _ = FileManager.default.createFile(atPath: file.path, contents: nil)
        defer { try? FileManager.default.removeItem(at: file) }
        let output = try FileHandle(forWritingTo: file)
        let process = Process()
        process.executableURL = URL(filePath: executable)
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = output
        let status: Int32 = try await withCheckedThrowingContinuation { continuation in
            process.terminationHandler = { continuation.resume(returning: $0.terminationStatus) }
            do { try process.run() } catch { continuation.resume(throwing: error) }
        }
        return Outcome(status: status, output: try String(contentsOf: file, encoding: .utf8))
    }

    /// A program of this package; it lies beside the one that runs the tests.
    static func own(_ name: String) -> String {
        URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent().appending(path: name).path
    }
}

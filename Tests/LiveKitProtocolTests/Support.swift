import Cryptography
import Foundation
import LiveKitProtocol
import LiveKitSimulator
import NIOPosix
import Resilience

/// Milliseconds since the epoch in tests that need no real time.
let noon: Int64 = 1_795_000_000_000

func makeCredentials(key: String = "APIabc", secret: String = "secretsecretsecretsecretsecretsecret") throws
    -> LiveKitCredentials
{
    try LiveKitCredentials(url: "wss://example.com", apiKey: key, secret: Secret(secret))
}

/// The code of what `body` throws; nil when it throws nothing or something else.
func code(_ body: () async throws -> Void) async -> LiveKitError.Code? {
    do { try await body() } catch { return (error as? LiveKitError)?.code }
    return nil
}

func message(_ body: () async throws -> Void) async -> String {
    do { try await body() } catch { return "\(error)" }
    return "nothing was thrown"
}

/// A client that does not wait between attempts.
func makeAPI(_ credentials: LiveKitCredentials, budget: RetryBudget = RetryBudget()) -> LiveKitServerAPI {
    LiveKitServerAPI(
        credentials, eventLoop: MultiThreadedEventLoopGroup.singleton.any(),
        retries: RetryPolicy(maximumAttempts: 3, backoff: Backoff(initial: .milliseconds(1))), budget: budget)
}

/// Runs a simulator for the length of `body`.
func withSimulator(_ body: (LiveKitSimulator, LiveKitServerAPI) async throws -> Void) async throws {
    let simulator = try await LiveKitSimulator.start()
    do { try await body(simulator, makeAPI(simulator.credentials)) } catch {
        await simulator.stop()
        throw error
    }
    await simulator.stop()
}

extension LiveKitSimulator {
    /// Lets somebody join.
    @discardableResult
    func join(_ identity: String, room: String) throws -> LiveKitParticipantInfo {
        let token = LiveKitAccessToken(identity: identity, video: .join(room))
        return try join(
            token.signed(by: credentials, lifetime: .seconds(60), now: Int64(Date().timeIntervalSince1970 * 1000)))
    }
}

/// A program run to its end.
struct ProgramRun: Sendable {
    var status: Int32
    /// Standard output and standard error.
    var output: String

    /// - Parameter environment: added to this process's.
    static func run(_ executable: String, _ arguments: [String], environment: [String: String] = [:]) async throws
        -> ProgramRun
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
        return ProgramRun(status: status, output: try String(contentsOf: file, encoding: .utf8))
    }

    /// `parley`; it lies beside the program that runs the tests.
    static func parley(_ arguments: [String], _ credentials: LiveKitCredentials, without missing: [String] = [])
        async throws -> ProgramRun
    {
        let own = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
        var environment = [
            "LIVEKIT_URL": credentials.url.webSocket, "LIVEKIT_API_KEY": credentials.apiKey,
            "LIVEKIT_API_SECRET": credentials.secret.revealed,
        ]
        for name in missing { environment[name] = "" }
        return try await run(own.appending(path: "parley").path, arguments, environment: environment)
    }
}

import Cryptography
import Foundation
import LiveKitSimulator
import Synchronization
import TestDatabases

/// Callers in LiveKit rooms: a client of LiveKit's own, which does what it is told and tells what happens to it.
final class RoomCallers: Sendable {
    /// Which client; programs in `Tests/python`.
    enum Program: String {
        case python = "livekit_caller.py"
        case browser = "browser_caller.py"
    }

    /// One line of such a program.
    struct Event: Decodable, Sendable {
        var event: String
        var name: String
        var identity: String?
        var state: String?
        var text: String?
        var segment: String?
        var track: String?
        var final: String?
        var sid: String?
        var id: String?
        var source: Int?
        var kind: Int?
        var code: Int?
        var reason: Int?
        /// Milliseconds of the agent's audio.
        var at: Int?
    }

    private let process: Mutex<Process>
    private let input: FileHandle
    private let heard: Mutex<(rest: Data, events: [Event])>
    private let log: URL

    init(_ server: RealLiveKitServer, _ program: Program) throws {
        let (input, output) = (Pipe(), Pipe())
        log = FileManager.default.temporaryDirectory.appending(path: "parley-callers-\(UUID().uuidString).log")
        _ = FileManager.default.createFile(atPath: log.path, contents: nil)
        let process = Process()
        process.executableURL = URL(filePath: RoomBed.python ?? "")
        process.arguments = [TestPostgres.repository + "/Tests/python/\(program.rawValue)", "--url", server.url, "--key", server.key]
        process.environment = ProcessInfo.processInfo.environment.merging(["LIVEKIT_API_SECRET": server.secret.revealed]) { $1 }
        process.standardInput = input
        process.standardOutput = output
        process.standardError = try FileHandle(forWritingTo: log)
        self.input = input.fileHandleForWriting
        self.process = Mutex(process)
        heard = Mutex((Data(), []))
        output.fileHandleForReading.readabilityHandler = { [weak self] handle in
            let data = handle.availableData
            if data.isEmpty { handle.readabilityHandler = nil } else { self?.take(data) }
        }
        try self.process.withLock { try $0.run() }
    }

    private func take(_ data: Data) {
        heard.withLock { heard in
            heard.rest.append(data)
            while let end = heard.rest.firstIndex(of: UInt8(ascii: "\n")) {
                let line = heard.rest[heard.rest.startIndex..<end]
                heard.rest = Data(heard.rest[heard.rest.index(after: end)...])
                if let event = try? JSONDecoder().decode(Event.self, from: line) { heard.events.append(event) }
            }
        }
    }

    /// Ends the program, and so the calls.
    func stop() {
        try? input.close()
        process.withLock { if $0.isRunning { kill($0.processIdentifier, SIGKILL) } }
        try? FileManager.default.removeItem(at: log)
    }

    // MARK: Doing

    func tell(_ command: String, _ name: String = "caller", _ more: [String: Any] = [:]) throws {
        guard process.withLock({ $0.isRunning }) else { throw Unfulfilled(description: "the callers' program has ended: \(problems)") }
        var line = try JSONSerialization.data(withJSONObject: more.merging(["do": command, "name": name]) { $1 })
        line.append(UInt8(ascii: "\n"))
        try input.write(contentsOf: line)
    }

    /// Joins a room and waits until the caller's microphone is published.
    func join(_ room: String, _ name: String = "caller", identity: String = "caller", _ more: [String: Any] = [:]) async throws {
        try tell("join", name, more.merging(["room": room, "identity": identity]) { $1 })
        try await event(more["microphone"] as? Bool == false ? "joined" : "published", name)
    }

    // MARK: Hearing

    var all: [Event] { heard.withLock { $0.events } }

    func events(_ kind: String, _ name: String = "caller") -> [Event] { all.filter { $0.event == kind && $0.name == name } }

    private var problems: String {
        let failed = all.filter { $0.event == "failed" }.compactMap(\.text)
        let output = (try? String(contentsOf: log, encoding: .utf8)) ?? ""
        return (failed + [String(output.suffix(1_500))]).joined(separator: "\n")
    }

    /// Waits for the `count`th event of a kind that fulfils the condition.
    @discardableResult
    func event(
        _ kind: String, _ name: String = "caller", _ count: Int = 1, within seconds: Int = 60, where condition: (Event) -> Bool = { _ in true }
    ) async throws -> Event {
        try await eventually("\(count) \(kind) for \(name); \(summary(name))", within: seconds) {
            events(kind, name).filter(condition).count >= count
        }
        return events(kind, name).filter(condition)[count - 1]
    }

    /// What was told to a caller, for the message of a failure.
    func summary(_ name: String = "caller") -> String {
        all.filter { $0.name == name && $0.event != "words" }
            .map { "\($0.event)(\($0.state ?? $0.text ?? $0.identity ?? ""))" }.joined(separator: " ") + "\n" + problems
    }

    /// States of the agent, none twice in a row.
    func states(_ name: String = "caller") -> [String] {
        events("state", name).compactMap(\.state).reduce(into: []) { if $0.last != $1 { $0.append($1) } }
    }

    /// Waits until the agent has begun to speak so often.
    func speaks(_ count: Int, _ name: String = "caller") async throws {
        try await eventually("the agent speaks \(count) times; \(summary(name))") { states(name).count { $0 == "speaking" } >= count }
    }

    /// Waits until the agent has finished speaking so often.
    func finished(_ count: Int, _ name: String = "caller") async throws {
        try await eventually("the agent has spoken \(count) times; \(summary(name))") {
            let states = states(name)
            return states.dropLast().count { $0 == "speaking" } >= count
        }
    }

    /// Texts that were told to their end, of the agent or of the caller.
    func texts(of identity: String, _ name: String = "caller", final: Bool = true) -> [Event] {
        events("text", name).filter { $0.identity == identity && ($0.final == "true") == final }
    }
}

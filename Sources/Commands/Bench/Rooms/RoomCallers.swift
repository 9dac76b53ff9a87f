import Foundation
import Synchronization
import WireCoding

/// Callers in LiveKit rooms with LiveKit's Python client, in a process of their own.
final class RoomCallers: Sendable {
    private let process: Process
    private let input: FileHandle
    private let events = Mutex<[Int: [RoomEvent]]>([:])

    /// Starts the callers' process and returns when it takes commands.
    static func start(python: String, script: String, url: String, frame: Int) async throws -> RoomCallers {
        guard FileManager.default.isReadableFile(atPath: script) else {
            throw CommandError("\(script) is missing; run this from a checkout or name the file with --callers")
        }
        let callers = try RoomCallers(python, [script, "--url", url, "--frame", "\(frame)"])
        guard await callers.wait(for: .ready, of: -1, after: 0, seconds: 30) != nil else {
            await callers.stop()
            throw CommandError(
                "'\(python)' does not run LiveKit's client; it needs the packages livekit and numpy, see Tests/python/requirements.txt")
        }
        return callers
    }

    private init(_ python: String, _ arguments: [String]) throws {
        let (input, output) = (Pipe(), Pipe())
        process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = [python] + arguments
        process.standardInput = input
        process.standardOutput = output
        self.input = input.fileHandleForWriting
        try process.run()
        let reader = output.fileHandleForReading
        // Lines come as they are said; a thread of its own does not make them wait for a busy pool.
        Thread { [self] in self.read(reader) }.start()
    }

    /// Ends all calls and the process, which has five seconds to leave its rooms.
    func stop() async {
        try? input.close()
        for _ in 0..<100 where process.isRunning { try? await Task.sleep(for: .milliseconds(50)) }
        if process.isRunning { process.terminate() }
    }

    // MARK: Commands

    func join(_ caller: Int, token: String) { send("join", caller) { $0.member("token", token) } }
    func say(_ caller: Int, file: String) { send("say", caller) { $0.member("wav", file) } }

    /// Returns when the caller has left.
    func leave(_ caller: Int) async {
        let moment = RoomEvent.now
        send("leave", caller)
        _ = await wait(for: .left, of: caller, after: moment, seconds: 15)
    }

    private func send(_ command: String, _ caller: Int, _ more: (inout JSONWriter) -> Void = { _ in }) {
        var json = JSONWriter()
        json.object { json in
            json.member("do", command)
            json.member("caller", caller)
            more(&json)
        }
        // A process that is gone says nothing any more, which whoever waits for it finds out.
        try? input.write(contentsOf: Data((json.text + "\n").utf8))
    }

    // MARK: Events

    /// The first event of a kind after a moment, nil where there is none by the deadline.
    func wait(for kind: RoomEvent.Kind, of caller: Int, after moment: Double, seconds: Double = 15) async -> RoomEvent? {
        let end = RoomEvent.now + seconds
        while true {
            if let event = events.withLock({ $0[caller]?.first(kind, after: moment) }) { return event }
            guard RoomEvent.now < end, process.isRunning else { return nil }
            // Events say when they happened: how soon they are seen changes no measurement.
            try? await Task.sleep(for: .milliseconds(20))
        }
    }

    /// Everything that a caller has said.
    func events(of caller: Int) -> [RoomEvent] { events.withLock { $0[caller] ?? [] } }

    private func read(_ output: FileHandle) {
        var rest = Data()
        while case let data = output.availableData, !data.isEmpty {
            rest += data
            while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                let line = String(decoding: rest[rest.startIndex..<end], as: UTF8.self)
                rest = Data(rest[(end + 1)...])
                do {
                    let event = try RoomEvent(line: line)
                    events.withLock { $0[event.caller, default: []].append(event) }
                } catch { print(error) }
            }
        }
    }
}

package import BackendKit
package import Logging

/// The admission halves that a dispatcher has, by name and by the paths of their WebSocket callers.
package struct DispatcherBackends: Sendable {
    package struct Entry: Sendable {
        package var backend: any VoiceBackend
        package var settings: BackendSettings
        package var admission: any BackendAdmission
    }

    private var entries: [String: Entry] = [:]
    private var paths: [String: String] = [:]

    package init() {}

    /// Makes the admission half of a backend that the operator has switched on.
    ///
    /// - Throws: `BackendError`, also when another backend has one of its paths
    package mutating func add(_ backend: any VoiceBackend, _ settings: BackendSettings, logger: Logger) throws {
        let admission = try backend.makeAdmission(settings, logger: logger)
        for path in admission.webSocketPaths {
            if let other = paths[path] { throw BackendError(backend.name, "the path '\(path)' is taken by the backend '\(other)'") }
            paths[path] = backend.name
        }
        entries[backend.name] = Entry(backend: backend, settings: settings, admission: admission)
    }

    package var all: [Entry] { entries.keys.sorted().compactMap { entries[$0] } }
    package var webSocketPaths: [String] { paths.keys.sorted() }
    package subscript(name: String) -> Entry? { entries[name] }

    /// Its sessions take place in rooms that workers join.
    func isRoom(_ name: String) -> Bool { entries[name]?.admission.webSocketPaths.isEmpty == true }
    var haveRooms: Bool { entries.keys.contains { isRoom($0) } }

    /// Tells a backend that a session in one of its rooms was closed and nobody of ours is there.
    package func abandoned(_ backend: String, room: [UInt8]) async {
        if !room.isEmpty { await entries[backend]?.admission.abandoned(room) }
    }

    /// The backend whose callers connect there.
    func entry(atPath path: String) -> Entry? { paths[path].flatMap { entries[$0] } }
}

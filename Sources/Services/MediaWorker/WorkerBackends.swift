package import BackendKit
package import Logging

/// The media halves that a worker has, by name.
package struct WorkerBackends: Sendable {
    package struct Entry: Sendable {
        package var backend: any VoiceBackend
        package var settings: BackendSettings
        package var media: BackendMedia
    }

    private var entries: [String: Entry] = [:]

    package init() {}

    /// Makes the media half of a backend that the operator has switched on.
    package mutating func add(_ backend: any VoiceBackend, _ settings: BackendSettings, logger: Logger) throws {
        entries[backend.name] = Entry(backend: backend, settings: settings, media: try backend.makeMedia(settings, logger: logger))
    }

    package var names: [String] { entries.keys.sorted() }
    package var all: [Entry] { names.compactMap { entries[$0] } }

    /// - Throws: `BackendError` for a backend that this worker does not have
    func entry(_ name: String) throws(BackendError) -> Entry {
        guard let entry = entries[name] else {
            throw BackendError(name, "this worker does not have it; it has: \(names.joined(separator: ", "))")
        }
        return entry
    }

    /// The wire format of a client whose socket a dispatcher holds.
    func codec(of name: String, handshake: [UInt8]) throws(BackendError) -> any ClientCodec {
        guard case .relayed(let media) = try entry(name).media else {
            throw BackendError(name, "its callers do not come over a relay")
        }
        return media.makeCodec(handshake: handshake)
    }
}

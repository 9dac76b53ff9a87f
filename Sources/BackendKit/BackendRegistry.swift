/// Backends by name. Programs register what they link; the operator switches them on, agent files may ask for one.
public struct BackendRegistry: Sendable {
    private var backends: [String: any VoiceBackend] = [:]

    public init() {}

    /// - Throws: for a name that is not one, or is taken
    public mutating func register(_ backend: any VoiceBackend) throws(BackendError) {
        let name = backend.name
        guard Self.isName(name) else {
            throw BackendError(name, "the name must be lower-case letters, digits and dashes, at most 64 of them")
        }
        guard backends[name] == nil else { throw BackendError(name, "is registered already; choose another name") }
        backends[name] = backend
    }

    /// In alphabetical order.
    public var all: [any VoiceBackend] { names.compactMap { backends[$0] } }
    public var names: [String] { backends.keys.sorted() }

    /// - Throws: for a name that nobody has registered, with those that are
    public func backend(named name: String) throws(BackendError) -> any VoiceBackend {
        guard let backend = backends[name] else {
            throw BackendError(name, "is not known; there are: \(names.joined(separator: ", "))")
        }
        return backend
    }

    private static func isName(_ name: String) -> Bool {
        (1...64).contains(name.utf8.count) && name.utf8.allSatisfy { ($0 >= 97 && $0 <= 122) || ($0 >= 48 && $0 <= 57) || $0 == 45 }
    }
}

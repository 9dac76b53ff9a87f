/// A version of the RTVI protocol.
struct RTVIVersion: Equatable, CustomStringConvertible {
    /// What the agent speaks.
    static let current = RTVIVersion(major: 2, minor: 2, patch: 0)

    var major: Int
    var minor: Int
    var patch: Int

    init(major: Int, minor: Int, patch: Int) {
        self.major = major
        self.minor = minor
        self.patch = patch
    }

    /// Three numbers with dots; nil for anything else.
    init?(_ text: String) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false).map { Int($0) }
        guard parts.count == 3, let major = parts[0], let minor = parts[1], let patch = parts[2] else { return nil }
        self.init(major: major, minor: minor, patch: patch)
    }

    /// Clients of 1.x are served in the shapes of their time.
    var isLegacy: Bool { major == 1 }
    var isSupported: Bool { major == Self.current.major || isLegacy }

    var description: String { "\(major).\(minor).\(patch)" }
}

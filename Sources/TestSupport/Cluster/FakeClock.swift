import Foundation

/// libfaketime, which steps the wall clock of single processes; the monotonic clock stays. A real step of the machine's
/// clock would need privileges and hit everybody.
package struct FakeClock: Sendable {
    private let library: String

    /// Nil where libfaketime (Debian's package `libfaketime`) is not installed.
    package init?() {
        let candidates = ["x86_64", "aarch64"].map { "/usr/lib/\($0)-linux-gnu/faketime/libfaketimeMT.so.1" }
        guard let library = candidates.first(where: { FileManager.default.fileExists(atPath: $0) }) else { return nil }
        self.library = library
    }

    /// What a process needs in its environment.
    func environment(of name: String, in folder: URL) -> [String: String] {
        let file = Self.file(of: name, in: folder)
        if !FileManager.default.fileExists(atPath: file.path) {
            try? "+0s\n".write(to: file, atomically: true, encoding: .utf8)
        }
        return [
            "LD_PRELOAD": library, "FAKETIME_TIMESTAMP_FILE": file.path, "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_CACHE_DURATION": "1",
            "DONT_FAKE_MONOTONIC": "1",
        ]
    }

    /// Moves the wall clock of a process of the cluster by so many seconds from the real time; noticed within a second.
    package static func step(_ name: String, by seconds: Int, in cluster: LocalCluster) throws {
        try "\(seconds < 0 ? "-" : "+")\(abs(seconds))s\n".write(
            to: file(of: name, in: cluster.folder), atomically: true, encoding: .utf8)
    }

    private static func file(of name: String, in folder: URL) -> URL { folder.appending(path: "clock-\(name)") }
}

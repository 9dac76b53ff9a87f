import Conversation
import Foundation

/// Agent files of a directory, or a single one.
enum AgentFiles {
    struct Loaded {
        var name: String
        var path: String
        var text: String
    }

    /// Reads and checks the files; throws for the first with problems.
    static func load(_ path: String) throws -> [Loaded] {
        var isDirectory: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) else {
            throw CommandError("there is no file or directory '\(path)'")
        }
        let paths = isDirectory.boolValue
            ? try FileManager.default.contentsOfDirectory(atPath: path).sorted().filter { $0.hasSuffix(".yaml") || $0.hasSuffix(".yml") }
                .map { "\(path)/\($0)" } : [path]
        guard !paths.isEmpty else { throw CommandError("'\(path)' has no .yaml files") }
        return try paths.map { file in
            let text = try String(contentsOfFile: file, encoding: .utf8)
            return Loaded(name: try AgentFile.read(text, source: file).name, path: file, text: text)
        }
    }
}

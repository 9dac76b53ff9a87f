import Foundation

/// A service's configuration: the environment variables it declares, read and checked together.
///
/// A variable that is set to nothing counts as not set. After the initialiser all declared variables have a value of their type.
package struct ServiceEnvironment: Sendable {
    /// How files named by `_FILE` variables are read; at most 64 KiB.
    package typealias FileReader = @Sendable (_ path: String) throws -> String

    private let values: [String: any Sendable]

    /// Reads `declarations` from `variables`; throws one `ConfigurationError` with everything that is wrong.
    package init(
        _ declarations: [EnvironmentDeclaration], from variables: [String: String],
        readFile: FileReader = ServiceEnvironment.readFile
    ) throws {
        var values: [String: any Sendable] = [:]
        var problems: [ConfigurationError.Problem] = []
        for declaration in declarations {
            switch Self.value(of: declaration, in: variables, readFile) {
            case .success(let value): values[declaration.name] = value
            case .failure(let error): problems += error.problems
            }
        }
        guard problems.isEmpty else { throw ConfigurationError(problems) }
        self.values = values
    }

    /// The value of a declared variable. Throws `ConfigurationError` when `key` was not declared, a mistake of the program.
    package func get<Value>(_ key: EnvironmentKey<Value>) throws -> Value {
        guard let value = values[key.name] as? Value else {
            throw ConfigurationError([
                .init(
                    .undeclared, variable: key.name, message: "is read by the program and not in its list of variables")
            ])
        }
        return value
    }

    private static func value(
        of declaration: EnvironmentDeclaration, in variables: [String: String], _ readFile: FileReader
    ) -> Result<any Sendable, ConfigurationError> {
        func problem(_ code: ConfigurationError.Problem.Code, _ message: String) -> Result<
            any Sendable, ConfigurationError
        > {
            .failure(ConfigurationError([.init(code, variable: declaration.name, message: message)]))
        }
        let direct = variables[declaration.name].flatMap { $0.isEmpty ? nil : $0 }
        let file = variables[declaration.name + "_FILE"].flatMap { $0.isEmpty ? nil : $0 }
        if direct != nil, file != nil {
            return problem(.ambiguous, "and \(declaration.name)_FILE are both set; set one of them")
        }
        var text = direct ?? declaration.defaultText
        if let file {
            do {
                text = try trimmingNewlines(readFile(file))
            } catch {
                return problem(
                    .unreadableFile, "cannot be read from '\(file)', which \(declaration.name)_FILE names: \(error)")
            }
        }
        guard let text else {
            return problem(.missing, "is not set; it must be \(declaration.type) (\(declaration.help))")
        }
        guard let value = declaration.parse(text) else {
            let shown = declaration.isSecret ? "has a value that is not allowed" : "is '\(text)'"
            return problem(.invalid, "\(shown); it must be \(declaration.type)")
        }
        return .success(value)
    }

    private static func trimmingNewlines(_ text: String) -> String {
        var text = text[...]
        while text.last?.isNewline == true { text.removeLast() }
        return String(text)
    }

    /// Variables that look like ours and are not declared, each with the name that was probably meant.
    ///
    /// To be logged, not refused: an older version may be started with a newer environment. `PARLEY_TEST_...` never is warned about.
    ///
    /// - Parameter alsoKnown: variables that others read, about which there is no warning.
    package static func warnings(
        about variables: [String: String], declarations: [EnvironmentDeclaration], alsoKnown: Set<String> = []
    ) -> [String] {
        let names = alsoKnown.union(declarations.map(\.name))
        return variables.keys.sorted().compactMap { name in
            guard name.hasPrefix("PARLEY_"), !name.hasPrefix("PARLEY_TEST_"), !names.contains(name) else { return nil }
            if name.hasSuffix("_FILE"), names.contains(String(name.dropLast(5))) { return nil }
            let nearest = SpellingDistance.nearest(to: name, among: names)
            return "\(name) is set and means nothing to this service" + (nearest.map { "; did you mean \($0)?" } ?? "")
        }
    }

    /// Reads at most 64 KiB of a file as UTF-8.
    package static func readFile(_ path: String) throws -> String {
        let handle = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
        defer { try? handle.close() }
        let data = try handle.read(upToCount: 65_537) ?? Data()
        guard data.count <= 65_536 else { throw CocoaError(.fileReadTooLarge) }
        return String(decoding: data, as: UTF8.self)
    }
}

// MARK: - Documentation

extension ServiceEnvironment {
    /// What `--help-config` prints: every variable with its type, default and meaning.
    package static func help(_ declarations: [EnvironmentDeclaration]) -> String {
        declarations.map { declaration in
            "\(declaration.name)\n    \(declaration.help)\n    \(declaration.type); default: \(declaration.shownDefault)\n"
        }.joined(separator: "\n")
            + "\nEvery variable NAME can also be given as NAME_FILE, the path of a file that holds its value.\n"
    }

    /// The same as a Markdown table, for the documents.
    package static func markdown(_ declarations: [EnvironmentDeclaration]) -> String {
        let rows = declarations.map { declaration in
            let cells = [declaration.help, declaration.type, declaration.shownDefault].map {
                $0.replacing("|", with: "\\|")
            }
            return "| `\(declaration.name)` | \(cells[0]) | \(cells[1]) | `\(cells[2])` |\n"
        }
        return "| variable | meaning | allowed | default |\n| --- | --- | --- | --- |\n" + rows.joined()
    }
}

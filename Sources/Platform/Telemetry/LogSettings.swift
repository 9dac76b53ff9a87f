import Glibc
package import Logging

/// How a process writes its log.
package struct LogSettings: Sendable, Equatable {
    /// The shape of a line.
    package enum Format: String, Sendable {
        /// One JSON object per line, for machines.
        case json
        /// Time, level, message and metadata, for people.
        case text
    }

    /// The name of the service, in every line.
    package var service: String
    /// Messages below this level are not written.
    package var level: Logger.Level
    /// The shape of a line.
    package var format: Format
    /// Whether personal data (see `PersonalText`) is written at debug level.
    package var personal: Bool

    package init(service: String, level: Logger.Level = .info, format: Format = .json, personal: Bool = false) {
        self.service = service
        self.level = level
        self.format = format
        self.personal = personal
    }

    /// Settings from `PARLEY_LOG_LEVEL`, `PARLEY_LOG_FORMAT` (`json`, `text`) and `PARLEY_LOG_PERSONAL` (`1`).
    ///
    /// Unset, the level is info and the format text on a terminal, JSON elsewhere. A value that is not understood leaves the
    /// default and is described in `problems`: a process that cannot log cannot say why it does not start.
    package static func fromEnvironment(
        _ environment: [String: String], service: String, isTerminal: Bool = isatty(STDERR_FILENO) == 1
    ) -> (settings: LogSettings, problems: [String]) {
        var settings = LogSettings(service: service, format: isTerminal ? .text : .json)
        var problems: [String] = []
        if let name = environment["PARLEY_LOG_LEVEL"]?.lowercased(), !name.isEmpty {
            if let level = Logger.Level(rawValue: name == "warn" ? "warning" : name) {
                settings.level = level
            } else {
                let allowed = Logger.Level.allCases.map(\.rawValue).joined(separator: ", ")
                problems.append("PARLEY_LOG_LEVEL is '\(name)'; allowed: \(allowed)")
            }
        }
        if let name = environment["PARLEY_LOG_FORMAT"]?.lowercased(), !name.isEmpty {
            if let format = Format(rawValue: name) {
                settings.format = format
            } else {
                problems.append("PARLEY_LOG_FORMAT is '\(name)'; allowed: json, text")
            }
        }
        settings.personal = environment["PARLEY_LOG_PERSONAL"] == "1"
        return (settings, problems)
    }
}

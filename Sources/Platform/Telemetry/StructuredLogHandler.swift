package import Logging

/// Writes log messages as one line each through a `LogWriter`.
package struct StructuredLogHandler: LogHandler {
    package var logLevel: Logger.Level
    package var metadata: Logger.Metadata = [:]
    package var metadataProvider: Logger.MetadataProvider?

    private let label: String
    private let settings: LogSettings
    private let writer: LogWriter
    private let now: @Sendable () -> Int64

    /// A handler for the logger called `label`; `now` gives milliseconds since the epoch.
    package init(
        label: String, settings: LogSettings, writer: LogWriter, metadataProvider: Logger.MetadataProvider? = nil,
        now: @escaping @Sendable () -> Int64 = Timestamp.now
    ) {
        self.label = label
        self.settings = settings
        self.writer = writer
        self.metadataProvider = metadataProvider
        self.now = now
        logLevel = settings.level
    }

    package subscript(metadataKey key: String) -> Logger.MetadataValue? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        var all = metadata
        if let provided = metadataProvider?.get() { all.merge(provided) { _, provided in provided } }
        if let own = event.metadata { all.merge(own) { _, own in own } }
        if let error = event.error { all["error"] = "\(error)" }
        let line = LogLine(
            time: now(), level: event.level, service: settings.service, label: label == settings.service ? nil : label,
            message: event.message.description, metadata: all,
            showsPersonal: settings.personal && event.level <= .debug)
        writer.write(settings.format == .json ? line.json : line.text, isError: event.level >= .error)
    }
}

extension LogWriter {
    /// A writer to standard error that reports lost lines in the format of `settings`.
    package convenience init(settings: LogSettings) {
        self.init(describeLoss: { Self.lossLine(settings, lines: $0, errors: $1, time: Timestamp.now()) })
    }

    /// The line that says how many lines were dropped because the log could not be written fast enough.
    package static func lossLine(_ settings: LogSettings, lines: Int, errors: Int, time: Int64) -> [UInt8] {
        let line = LogLine(
            time: time, level: .error, service: settings.service,
            message: "log lines were dropped because nobody read them",
            metadata: ["dropped": .stringConvertible(lines), "dropped_errors": .stringConvertible(errors)])
        return settings.format == .json ? line.json : line.text
    }
}

/// The log of a process.
package enum Log {
    /// Makes every `Logger` of the process write structured lines to standard error. Call it once, at the start of the process.
    ///
    /// - Returns: the writer, to be flushed before the process ends.
    package static func bootstrap(_ settings: LogSettings) -> LogWriter {
        let writer = LogWriter(settings: settings)
        LoggingSystem.bootstrap(
            { label, provider in
                StructuredLogHandler(label: label, settings: settings, writer: writer, metadataProvider: provider)
            }, metadataProvider: nil)
        return writer
    }
}

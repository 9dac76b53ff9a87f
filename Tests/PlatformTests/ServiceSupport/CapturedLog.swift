import Logging
import Telemetry

/// A log that a test can read.
struct CapturedLog: Sendable {
    private let bytes = Shared<[UInt8]>([])
    private let writer: LogWriter

    init() {
        let bytes = bytes
        writer = LogWriter(describeLoss: { _, _ in [] }, sink: { more in bytes.withLock { $0 += more } })
    }

    func logger(_ settings: LogSettings = LogSettings(service: "test", level: .debug)) -> Logger {
        Logger(label: settings.service) { StructuredLogHandler(label: $0, settings: settings, writer: writer) }
    }

    /// Everything logged so far.
    var text: String {
        writer.flush()
        return String(decoding: bytes.current, as: UTF8.self)
    }
}

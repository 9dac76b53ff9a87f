import CLibPQ
import Logging

/// Where the server's notices and warnings go: the log.
final class NoticeSink: Sendable {
    private let logger: Logger

    init(logger: Logger) { self.logger = logger }

    /// The wire keeps the sink alive at least as long as the handle.
    func attach(to handle: OpaquePointer) {
        unsafe _ = PQsetNoticeProcessor(handle, receiveNotice, Unmanaged.passUnretained(self).toOpaque())
    }

    /// One line as libpq formats it: "WARNING:  there is already a transaction in progress".
    func receive(_ line: String) {
        let level: Logger.Level = line.hasPrefix("WARNING") ? .warning : .debug
        logger.log(level: level, "PostgreSQL: \(line.singleLine)")
    }
}

/// A plain function, not a closure: it is called from libpq on the connection's queue.
private func receiveNotice(_ context: UnsafeMutableRawPointer?, _ message: UnsafePointer<CChar>?) {
    guard let context = unsafe context, let message = unsafe message else { return }
    unsafe Unmanaged<NoticeSink>.fromOpaque(context).takeUnretainedValue().receive(String(cString: message))
}

extension String {
    /// libpq's messages end in newlines and continue indented; a log line and an error are one line.
    var singleLine: String {
        split(whereSeparator: \.isNewline).map { $0.drop { $0 == " " || $0 == "\t" } }.joined(separator: " ")
    }
}

extension Duration {
    /// Rounded towards zero.
    var wholeMilliseconds: Int64 {
        let (seconds, attoseconds) = components
        return seconds * 1000 + attoseconds / 1_000_000_000_000_000
    }
}

package import NIOCore

/// One event of a `text/event-stream`.
package struct ServerSentEvent: Sendable, Equatable {
    /// The `event` field, where there was one.
    package var name: ByteBuffer?
    /// The `data` lines, joined by line feeds.
    package var data: ByteBuffer
}

/// An incremental parser of server-sent events (WHATWG HTML section 9.2.6), fed with any cuts of the stream.
///
/// Comments, `id` and `retry` are skipped. An event that the end of the stream cuts off is delivered by `finish`, since
/// some vendors leave out the last blank line.
package struct ServerSentEventParser: Sendable {
    /// Bytes of one event above which the stream counts as broken.
    package static let maximumEventBytes = 1 << 20

    /// What has not been consumed: at most one unfinished line.
    private var pending = ByteBuffer()
    /// Bytes of `pending` known to hold no line break.
    private var scanned = 0
    private var name: ByteBuffer?
    private var data: ByteBuffer?
    /// The last line ended with a carriage return: a line feed now belongs to it.
    private var skipsLineFeed = false
    private var isFirstLine = true

    package init() {}

    /// Adds the next bytes; `next` yields what they complete.
    package mutating func append(_ bytes: ByteBuffer) {
        var bytes = bytes
        if pending.readableBytes == 0 { pending = bytes } else { pending.writeBuffer(&bytes) }
    }

    /// The next complete event, or nil until more is appended.
    package mutating func next() throws(ServerSentEventError) -> ServerSentEvent? {
        while let line = try readLine() {
            if line.readableBytes == 0 {
                if let event = takeEvent() { return event }
            } else {
                try take(line)
            }
        }
        return nil
    }

    /// The end of the stream: the event it cut off, if any.
    package mutating func finish() throws(ServerSentEventError) -> ServerSentEvent? {
        if pending.readableBytes > 0 {
            let rest = pending
            pending = ByteBuffer()
            scanned = 0
            try take(rest)
        }
        return takeEvent()
    }

    private mutating func takeEvent() -> ServerSentEvent? {
        defer {
            name = nil
            data = nil
        }
        return data.map { ServerSentEvent(name: name, data: $0) }
    }

    private mutating func readLine() throws(ServerSentEventError) -> ByteBuffer? {
        if skipsLineFeed, let first = pending.getInteger(at: pending.readerIndex, as: UInt8.self) {
            skipsLineFeed = false
            if first == 0x0A { pending.moveReaderIndex(forwardBy: 1) }
        }
        let (end, isReturn) = unsafe pending.withUnsafeReadableBytes { bytes in
            var at = scanned
            while at < bytes.count {
                if unsafe bytes[at] == 0x0A { return (at, false) }
                if unsafe bytes[at] == 0x0D { return (at, true) }
                at += 1
            }
            return (-1, false)
        }
        guard end >= 0 else {
            scanned = pending.readableBytes
            guard scanned <= Self.maximumEventBytes else { throw ServerSentEventError() }
            return nil
        }
        let line = pending.readSlice(length: end)
        pending.moveReaderIndex(forwardBy: 1)
        skipsLineFeed = isReturn
        scanned = 0
        return line
    }

    private mutating func take(_ line: ByteBuffer) throws(ServerSentEventError) {
        var line = line
        if isFirstLine {
            isFirstLine = false
            if line.readableBytesView.starts(with: [0xEF, 0xBB, 0xBF]) { line.moveReaderIndex(forwardBy: 3) }
        }
        let view = line.readableBytesView
        let colon = view.firstIndex(of: UInt8(ascii: ":")) ?? view.endIndex
        let field = view[..<colon]
        guard !field.isEmpty else { return }  // a comment
        line.moveReaderIndex(forwardBy: min(field.count + 1, line.readableBytes))
        if line.getInteger(at: line.readerIndex, as: UInt8.self) == UInt8(ascii: " ") {
            line.moveReaderIndex(forwardBy: 1)
        }
        if field.elementsEqual("data".utf8) {
            try add(line)
        } else if field.elementsEqual("event".utf8) {
            name = line
        }
    }

    private mutating func add(_ line: ByteBuffer) throws(ServerSentEventError) {
        guard var joined = data else { return data = line }
        guard joined.readableBytes + line.readableBytes < Self.maximumEventBytes else { throw ServerSentEventError() }
        // A buffer of its own: the first line is a slice of what was read.
        var copy = ByteBuffer()
        copy.writeBuffer(&joined)
        copy.writeInteger(UInt8(ascii: "\n"))
        copy.writeImmutableBuffer(line)
        data = copy
    }
}

/// An event longer than the bound.
package struct ServerSentEventError: Error, Sendable, Hashable, CustomStringConvertible {
    package var description: String { "an event is longer than \(ServerSentEventParser.maximumEventBytes) bytes" }
}

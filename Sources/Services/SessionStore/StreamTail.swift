import RedisClient
import SessionLog

/// Live tails of any number of Redis streams over one blocking connection: session logs for followers, inboxes for workers.
///
/// A reader that is too slow for its buffer is ended with the entries it has; it catches up by XRANGE and subscribes again. So is everybody when
/// the connection breaks.
actor StreamTail {
    /// Entries that come in one read, in order.
    typealias Entries = AsyncStream<[StreamEntry]>

    private struct Reader {
        var cursor: StreamEntry.ID
        let continuation: Entries.Continuation
    }

    private static let buffer = 256
    private static let block = 1000

    private let reading: RedisClient
    private let control: RedisClient
    private var readers: [String: [UInt64: Reader]] = [:]
    private var lastReader: UInt64 = 0
    private var connection: Int64?
    private let (changes, changed) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))

    /// - Parameters:
    ///   - reading: a client of its own: it is blocked most of the time
    ///   - control: wakes `reading` when somebody subscribes
    init(reading: RedisClient, control: RedisClient) {
        self.reading = reading
        self.control = control
    }

    /// What is added to a stream behind `cursor`, until the caller stops iterating or falls behind.
    func entries(of key: String, after cursor: StreamEntry.ID) -> Entries {
        lastReader += 1
        let number = lastReader
        let (stream, continuation) = Entries.makeStream(bufferingPolicy: .bufferingOldest(Self.buffer))
        continuation.onTermination = { [weak self] _ in
            // The end of an iteration may come from any thread; there is nothing to wait for.
            Task { await self?.remove(number, from: key) }
        }
        readers[key, default: [:]][number] = Reader(cursor: cursor, continuation: continuation)
        changed.yield()
        unblock()
        return stream
    }

    /// Reads until the task is cancelled.
    func run() async {
        while !Task.isCancelled {
            guard !readers.isEmpty else {
                for await _ in changes { break }
                continue
            }
            do {
                try await read()
            } catch {
                endAll()
                try? await Task.sleep(for: .milliseconds(100))
            }
        }
        endAll()
    }

    private func read() async throws {
        connection = try await reading.send(RedisCommand("CLIENT", "ID")).integer
        let cursors = readers.compactMapValues { $0.values.map(\.cursor).min() }
        guard !cursors.isEmpty else { return }
        let keys = Array(cursors.keys)
        var command = RedisCommand("XREAD", "COUNT", "200", "BLOCK", .integer(Self.block), "STREAMS")
        command.arguments += keys.map(RedisArgument.string) + keys.map { .string("\(cursors[$0] ?? .start)") }
        command.timeout = .milliseconds(Self.block) + reading.configuration.commandTimeout
        let reply = try await reading.send(command)
        connection = nil
        for stream in reply.array ?? [] {
            guard let parts = stream.array, parts.count == 2, let key = parts[0].string else { continue }
            deliver(StreamEntry.entries(parts[1]), of: key)
        }
    }

    private func deliver(_ entries: [StreamEntry], of key: String) {
        guard let last = entries.last else { return }
        for (number, reader) in readers[key] ?? [:] {
            let new = entries.filter { $0.id > reader.cursor }
            guard !new.isEmpty else { continue }
            readers[key]?[number]?.cursor = last.id
            if case .dropped = reader.continuation.yield(new) { reader.continuation.finish() }
        }
    }

    private func unblock() {
        guard let connection else { return }
        control.submit(RedisCommand("CLIENT", "UNBLOCK", .integer(connection))) { _ in }
    }

    private func remove(_ number: UInt64, from key: String) {
        readers[key]?[number] = nil
        if readers[key]?.isEmpty ?? false { readers[key] = nil }
    }

    private func endAll() {
        for reader in readers.values.flatMap(\.values) { reader.continuation.finish() }
        readers = [:]
    }
}

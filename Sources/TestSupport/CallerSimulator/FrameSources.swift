/// Whose audio frames a caller got, by their numbers: every worker counts its own frames. Numbers that go on are one
/// source; when a source that was replaced by another one is heard again, two workers spoke at once.
package struct FrameSources: Sendable, Hashable {
    /// Frames of one source on one connection.
    package struct Source: Sendable, Hashable {
        package var connection: Int
        package var first: UInt64
        package var last: UInt64
        package var from: Int64
        package var to: Int64
    }

    /// A source that was heard again.
    package struct Return: Sendable, Hashable {
        package var source: Source
        package var frame: UInt64
        package var at: Int64
    }

    /// A relay may drop frames of a caller who does not read; more than this is somebody else.
    private static let longestSkip: UInt64 = 50

    package private(set) var sources: [Source] = []
    package private(set) var returns: [Return] = []

    package init() {}

    package mutating func hear(frame: UInt64, connection: Int, at now: Int64) {
        guard frame > 0 else { return }
        let next =
            sources.last.flatMap { goesOn($0, frame, connection) ? sources.count - 1 : nil }
            ?? sources.dropLast().lastIndex { goesOn($0, frame, connection) }
        guard let next else {
            return sources.append(Source(connection: connection, first: frame, last: frame, from: now, to: now))
        }
        if next != sources.count - 1 { returns.append(Return(source: sources[next], frame: frame, at: now)) }
        sources[next].last = frame
        sources[next].to = now
    }

    private func goesOn(_ source: Source, _ frame: UInt64, _ connection: Int) -> Bool {
        source.connection == connection && frame > source.last && frame - source.last <= Self.longestSkip
    }
}

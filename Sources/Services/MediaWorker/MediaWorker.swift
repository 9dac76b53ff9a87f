import Conversation
package import NIOCore
import RelayLink
import Synchronization

/// A media worker: takes relay links and runs their sessions, each on the event loop of its link.
package final class MediaWorker: Sendable {
    package let core: WorkerCore
    private let group: any EventLoopGroup
    private let clocks = Mutex<[ObjectIdentifier: NIOLoopBound<MediaClock>]>([:])

    package init(core: WorkerCore, group: any EventLoopGroup) {
        self.core = core
        self.group = group
    }

    /// Listens for relay links; port 0 takes a free one.
    package func bind(host: String, port: Int) async throws -> any Channel {
        try await RelayServer.bind(host: host, port: port, group: group) { link in
            RelayedSession(core: self.core, link: link, clock: self.clock(of: link.eventLoop))
        }
    }

    private func clock(of eventLoop: any EventLoop) -> MediaClock {
        clocks.withLock { clocks in
            let key = ObjectIdentifier(eventLoop)
            if let clock = clocks[key] { return clock }
            let clock = NIOLoopBound(MediaClock(on: eventLoop), eventLoop: eventLoop)
            clocks[key] = clock
            return clock
        }.value
    }
}

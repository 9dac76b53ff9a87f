import NIOCore
import NIOPosix
import Placement
import RelayLink
import Synchronization

@testable import DispatcherService

/// A worker's relay port that does what a test says and keeps what it is sent.
final class FakeWorker: Sendable {
    /// What comes of an attach.
    enum Answer: Sendable {
        case accept(fence: UInt64)
        case refuse(RelayRefusal)
        /// The connection ends without a word.
        case hangUp
        /// Nothing, until the test sends something.
        case silence
    }

    private struct State {
        var answers: [Answer]
        var attaches: [RelayAttach] = []
        /// Numbers of the caller's messages since the last attach.
        var messages: [UInt64] = []
        var detached: [Bool] = []
        var links: [Link] = []
    }

    /// Confined to its loop, as the link is.
    private final class Link: RelayServerHandler, @unchecked Sendable {
        let link: RelayServerLink
        let worker: FakeWorker

        init(_ link: RelayServerLink, _ worker: FakeWorker) {
            self.link = link
            self.worker = worker
        }

        func received(_ message: MessageToWorker) { worker.received(message, self) }
        func closed(_ error: (any Error)?) {}
    }

    let name: String
    private let state: Mutex<State>
    private let channel = Mutex<(any Channel)?>(nil)

    /// `answers` to attaches in turn; the last one stays.
    init(_ name: String, _ answers: Answer...) async throws {
        self.name = name
        state = Mutex(State(answers: answers))
        let channel = try await RelayServer.bind(host: "127.0.0.1", port: 0, group: MultiThreadedEventLoopGroup.singleton) { link in
            let made = Link(link, self)
            self.state.withLock { $0.links.append(made) }
            return made
        }
        self.channel.withLock { $0 = channel }
    }

    var place: WorkerPlace {
        WorkerPlace(worker: name, host: "127.0.0.1", port: channel.withLock { $0?.localAddress?.port ?? 1 }, reservation: "r")
    }
    var attaches: [RelayAttach] { state.withLock { $0.attaches } }
    var messages: [UInt64] { state.withLock { $0.messages } }
    /// Whether callers were gone for good.
    var detached: [Bool] { state.withLock { $0.detached } }

    /// Sends on the newest link.
    func send(_ messages: MessageToRelay...) {
        guard let link = state.withLock({ $0.links.last })?.link else { return }
        link.eventLoop.execute { for message in messages { link.send(message) } }
    }

    /// Its links end, as when it is killed; it may be there again at once.
    func cutLinks() {
        for link in state.withLock({ $0.links }) { link.link.eventLoop.execute { link.link.close() } }
    }

    func stop() async throws { try await channel.withLock { $0 }?.close() }

    private func received(_ message: MessageToWorker, _ link: Link) {
        switch message {
        case .attach(let attach):
            let answer = state.withLock { state in
                state.attaches.append(attach)
                state.messages = []
                return state.answers.count > 1 ? state.answers.removeFirst() : state.answers[0]
            }
            switch answer {
            case .accept(let fence): link.link.send(.accepted(fence: fence))
            case .refuse(let code): link.link.send(.refused(code: code, reason: "as the test wants it"))
            case .hangUp: link.link.close()
            case .silence: break
            }
        case .caller(let number, _, _, _): state.withLock { $0.messages.append(number) }
        case .detached(_, let isFinal): state.withLock { $0.detached.append(isFinal) }
        case .throttled, .taken, .revoked, .watch: break
        }
    }
}

/// Workers in the order in which they are to be chosen.
final class FakeFleet: WorkerPlacing {
    private let workers: [FakeWorker]
    init(_ workers: FakeWorker...) { self.workers = workers }

    func giveUp(_ place: WorkerPlace) async {}
    func place(_ request: PlacementRequest) async throws -> WorkerPlace {
        guard let worker = workers.first(where: { !request.excluding.contains($0.name) }) else { throw AdmissionError(.full, "all media workers are full") }
        return worker.place
    }
}

/// What Redis and the store would say of sessions and tokens.
final class FakeReturns: Returns {
    struct State {
        var standing = SessionStanding(fence: 70, owner: "a", address: "")
        var isOver = false
        var generation: UInt32 = 1
        var tokens: [String: ReturnRecord] = [:]
        var asked = 0
    }
    let state = Mutex(State())

    func mint(_ record: ReturnRecord) async throws -> String {
        state.withLock { state in
            let token = "prt_\(state.tokens.count + 1)"
            state.tokens[token] = record
            return token
        }
    }
    func forget(_ token: String) async { state.withLock { $0.tokens[token] = nil } }
    func find(_ token: String) async throws -> (record: ReturnRecord, generation: UInt32, standing: SessionStanding) {
        guard let record = state.withLock({ $0.tokens[token] }) else { throw AdmissionError(.badToken, "the resume token is not known any more") }
        let standing = try await standing(of: record.session, tenant: record.tenant)
        return state.withLock { state in
            state.generation += 1
            return (record, state.generation, standing)
        }
    }
    func standing(of session: String, tenant: String) async throws -> SessionStanding {
        try state.withLock { state in
            state.asked += 1
            if state.isOver { throw AdmissionError(.sessionOver, "the call has ended") }
            return state.standing
        }
    }
    func isSuperseded(_ session: String, generation: UInt32) async -> Bool { state.withLock { $0.generation > generation } }
}

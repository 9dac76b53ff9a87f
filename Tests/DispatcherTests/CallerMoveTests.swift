import NIOCore
import NIOPosix
import RelayLink
import Synchronization
import Testing
import WebSocket

@testable import DispatcherService

/// A caller whose worker is gone, or gives it away: the next one gets what the last one did not release, and the caller notices nothing.
@Suite(.timeLimit(.minutes(1))) struct CallerMoveTests {
    /// A client that keeps what it is sent.
    private final class Client: WebSocketHandler, Sendable {
        struct Heard: Sendable {
            var messages: [String] = []
            var closure: WebSocketClosure?
        }
        let heard = Mutex(Heard())
        private let socket = Mutex<NIOLoopBound<WebSocket>?>(nil)
        private let loop = MultiThreadedEventLoopGroup.singleton.next()

        func opened(_ socket: WebSocket) { self.socket.withLock { $0 = NIOLoopBound(socket, eventLoop: loop) } }
        func received(binary: ByteBuffer, on socket: WebSocket) { heard.withLock { $0.messages.append(String(buffer: binary)) } }
        func closed(_ socket: WebSocket, _ closure: WebSocketClosure) { heard.withLock { $0.closure = closure } }

        func connect(_ dispatcher: RunningDispatcher, _ path: String = "/v1/ws?agent=tea", key: String? = FakeDirectory.key) async throws {
            let url = try WebSocketURL("ws://127.0.0.1:\(dispatcher.port)\(path)")
            let headers = key.map { [(name: "Authorization", value: "Bearer \($0)")] } ?? []
            let loop = loop
            try await loop.submit {
                _ = WebSocketClient().connect(
                    WebSocketRequest(url, headers: headers, connectDeadline: .seconds(10)), configuration: WebSocketConfiguration(), on: loop,
                    handler: self)
            }.get()
            // What is sent before it is open would be lost.
            try await eventually("the client is connected") { socket.withLock { $0 } != nil || heard.withLock { $0.closure } != nil }
        }

        func send(_ text: String) {
            loop.execute {
                guard let socket = self.socket.withLock({ $0 }) else { return }
                _ = socket.value.send(binary: ByteBuffer(string: text))
            }
        }
        func close() { loop.execute { self.socket.withLock { $0 }?.value.close() } }
        func abort() { loop.execute { self.socket.withLock { $0 }?.value.abort() } }
    }

    private func run(
        _ workers: any WorkerPlacing, returns: FakeReturns = FakeReturns(),
        _ body: @escaping @Sendable (RunningDispatcher, Client) async throws -> Void
    ) async throws {
        var cluster = Cluster()
        cluster.placing = workers
        cluster.returns = returns
        try await RunningDispatcher.run(cluster) { dispatcher in try await body(dispatcher, Client()) }
    }

    @Test func theNextWorkerGetsWhatWasNotReleased() async throws {
        let (first, second) = (try await FakeWorker("a", .accept(fence: 10), .hangUp), try await FakeWorker("b", .accept(fence: 20)))
        try await run(FakeFleet(first, second)) { dispatcher, client in
            try await client.connect(dispatcher)
            try await eventually("the first worker has the call") { first.attaches.count == 1 }
            first.send(.agent(fence: 10, reply: 3, firstSample: 320, samples: 320, text: false, bytes: ByteBuffer(string: "audio")))
            for word in ["one", "two", "three"] { client.send(word) }
            try await eventually("it has the messages") { first.messages == [1, 2, 3] }
            first.send(.release(number: 2))
            try await eventually("the audio has arrived") { client.heard.withLock { $0.messages } == ["audio"] }
            first.cutLinks()
            try await eventually("the second worker has the call") { second.messages == [3] }
            let attach = try #require(second.attaches.first)
            #expect(attach.reason == "takeover")
            #expect((attach.firstKept, attach.lastKept) == (3, 3))
            #expect((attach.deliveredReply, attach.deliveredSample) == (3, 640))
            // The first one could not be asked for its fence of now, so the store was.
            #expect(attach.seenFence == 70 || attach.seenFence == 10)
            client.send("four")
            try await eventually("and what follows") { second.messages == [3, 4] }
            #expect(client.heard.withLock { $0.closure } == nil)
            client.close()
            try await eventually("the worker is told of the end") { second.detached == [true] }
        }
    }

    @Test func audioOfAWorkerThatLostTheCallIsNotHeard() async throws {
        let (first, second) = (try await FakeWorker("a", .accept(fence: 10)), try await FakeWorker("b", .accept(fence: 20)))
        try await run(FakeFleet(first, second)) { dispatcher, client in
            try await client.connect(dispatcher)
            try await eventually("the first worker has the call") { first.attaches.count == 1 }
            first.send(.handover(fence: 10))
            try await eventually("the second worker has the call") { second.attaches.count == 1 }
            first.send(.agent(fence: 10, reply: 1, firstSample: 0, samples: 320, text: false, bytes: ByteBuffer(string: "old")))
            second.send(.agent(fence: 20, reply: 1, firstSample: 0, samples: 320, text: false, bytes: ByteBuffer(string: "new")))
            try await eventually("the new worker is heard") { client.heard.withLock { $0.messages } == ["new"] }
            #expect(second.attaches.first?.reason == "drain")
        }
    }

    @Test func aWorkerThatRefusesIsPassedOver() async throws {
        let workers = (
            try await FakeWorker("a", .accept(fence: 10), .refuse(.draining)), try await FakeWorker("b", .refuse(.full)),
            try await FakeWorker("c", .accept(fence: 30))
        )
        try await run(FakeFleet(workers.0, workers.1, workers.2)) { dispatcher, client in
            try await client.connect(dispatcher)
            try await eventually("the first worker has the call") { workers.0.attaches.count == 1 }
            workers.0.send(.handover(fence: 10))
            try await eventually("the third worker has the call") { workers.2.attaches.count == 1 }
            #expect(client.heard.withLock { $0.closure } == nil)
        }
    }

    @Test func aLostClaimIsTriedAgainWithTheFenceOfNow() async throws {
        let (first, second) = (try await FakeWorker("a", .accept(fence: 10)), try await FakeWorker("b", .refuse(.claimLost), .accept(fence: 80)))
        let returns = FakeReturns()
        try await run(FakeFleet(first, second), returns: returns) { dispatcher, client in
            try await client.connect(dispatcher)
            try await eventually("the first worker has the call") { first.attaches.count == 1 }
            first.send(.handover(fence: 10))
            try await eventually("the second worker was asked twice") { second.attaches.count == 2 }
            #expect(second.attaches.map(\.seenFence) == [10, 70])
        }
    }

    @Test func aCallThatIsOverEnds() async throws {
        let (first, second) = (try await FakeWorker("a", .accept(fence: 10)), try await FakeWorker("b", .refuse(.over)))
        try await run(FakeFleet(first, second)) { dispatcher, client in
            try await client.connect(dispatcher)
            try await eventually("the first worker has the call") { first.attaches.count == 1 }
            first.send(.handover(fence: 10))
            try await eventually("the caller is told") { client.heard.withLock { $0.closure?.code.rawValue } == 4410 }
        }
    }

    @Test func aClientThatComesBackGetsItsSession() async throws {
        let worker = try await FakeWorker("a", .accept(fence: 10))
        let returns = FakeReturns()
        try await run(FakeFleet(worker), returns: returns) { dispatcher, client in
            try await client.connect(dispatcher, "/v1/ws?agent=tea&resumable=true")
            try await eventually("the worker has the call") { worker.attaches.count == 1 }
            let token = try #require(worker.attaches.first?.resumeToken)
            #expect(token.hasPrefix("prt_"))
            client.abort()
            try await eventually("the caller may come back") { worker.detached == [false] }
            let again = Client()
            try await again.connect(dispatcher, "/v1/ws?resume=\(token)&resumable=true", key: nil)
            try await eventually("the worker has it again") { worker.attaches.count == 2 }
            let attach = worker.attaches[1]
            #expect(attach.session == worker.attaches[0].session)
            #expect((attach.generation, attach.seenFence) == (2, 70))
            #expect(attach.resumeToken != token)
            try await eventually("the old token is gone") { returns.state.withLock { $0.tokens[token] == nil } }
        }
    }

    @Test(arguments: ["prt_unknown", "pct_1", ""]) func aBadResumeTokenIsRefused(_ token: String) async throws {
        try await run(FakeFleet()) { dispatcher, client in
            try await client.connect(dispatcher, "/v1/ws?resume=\(token)&resumable=true", key: nil)
            try await eventually("refused") { client.heard.withLock { $0.closure?.code.rawValue } == 4003 }
        }
    }

    @Test func anOlderConnectionDoesNotTakeTheCallBack() async throws {
        let (first, second) = (try await FakeWorker("a", .accept(fence: 10), .hangUp), try await FakeWorker("b", .accept(fence: 20)))
        let returns = FakeReturns()
        try await run(FakeFleet(first, second), returns: returns) { dispatcher, client in
            try await client.connect(dispatcher, "/v1/ws?agent=tea&resumable=true")
            try await eventually("the worker has the call") { first.attaches.count == 1 }
            returns.state.withLock { $0.generation = 2 }
            first.cutLinks()
            try await eventually("the caller is told") { client.heard.withLock { $0.closure?.code.rawValue } == 4409 }
            #expect(second.attaches.isEmpty)
        }
    }

    @Test func aLeavingDispatcherSendsAwayThoseWhoCanComeBack() async throws {
        let worker = try await FakeWorker("a", .accept(fence: 10))
        try await run(FakeFleet(worker)) { dispatcher, client in
            let other = Client()
            try await client.connect(dispatcher, "/v1/ws?agent=tea&resumable=true")
            try await other.connect(dispatcher)
            try await eventually("the worker has both calls") { worker.attaches.count == 2 }
            dispatcher.core.drain()
            try await eventually("one is sent away") { client.heard.withLock { $0.closure?.code.rawValue } == 1012 }
            #expect(other.heard.withLock { $0.closure } == nil)
        }
    }
}

private func eventually(_ what: String, _ condition: () -> Bool) async throws {
    let end = ContinuousClock.now + .seconds(20)
    while !condition() {
        try #require(ContinuousClock.now < end, "it did not happen: \(what)")
        await Task.yield()
    }
}

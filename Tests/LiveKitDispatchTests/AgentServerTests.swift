import LiveKitDispatch
import LiveKitSimulator
import NIOCore
import NIOPosix
import SwiftProtobuf
import Testing
import WebSocket

/// The simulator refuses what a server refuses: a worker that says anything it wants.
@Suite(.timeLimit(.minutes(2)))
struct AgentServerTests {
    @Test func aSecondRegistrationEndsTheConnection() async throws {
        try await violation("registers twice", ends: true) { [.register(.worker), .register(.worker)] }
    }

    @Test func nothingMayComeBeforeTheRegistration() async throws {
        try await violation("before it has registered", ends: true) { [.updateWorker(.with { $0.status = .wsAvailable })] }
    }

    @Test func aPingMayComeBeforeTheRegistration() async throws {
        try await RawWorker.run([.ping(.with { $0.timestamp = 7 }), .register(.worker)]) { worker, server in
            let pong = try #require(await worker.next())
            #expect(pong.pong.lastTimestamp == 7 && pong.pong.timestamp > 7)
            #expect(await server.wait { $0.registrations == 1 }?.violations == [])
        }
    }

    @Test func unknownKindsOfMessagesEndTheConnection() async throws {
        try await violation("unknown kind", ends: true) { [.register(.worker), nil] }
    }

    @Test func unknownJobsAreNoticed() async throws {
        try await violation("unknown job", ends: false) { [.register(.worker), .updateJob(.with { $0.jobID = "AJ_9"; $0.status = .jsRunning })] }
        try await violation("nobody has offered", ends: false) { [.register(.worker), .availability(.with { $0.jobID = "AJ_9" })] }
        try await violation("unknown job", ends: false) { [.register(.worker), .migrateJob(.with { $0.jobIds = ["AJ_9"] })] }
    }

    @Test func loadIsAShare() async throws {
        try await violation("a load of 1.5", ends: false) {
            [
                .register(.worker),
                .updateWorker(
                    .with {
                        $0.status = .wsAvailable
                        $0.load = 1.5
                    }),
            ]
        }
    }

    @Test func takingAJobNeedsAnIdentity() async throws {
        try await RawWorker.run([.register(.worker), .updateWorker(.with { $0.status = .wsAvailable })]) { worker, server in
            _ = try #require(await server.wait { $0.workers.first?.updates == 1 })
            let id = await server.dispatch(agentName: "raw", room: "call-1")
            _ = await worker.next()
            #expect(await worker.next()?.availability.job.id == id)
            worker.send(.availability(.with { $0.jobID = id; $0.available = true }))
            let snapshot = try #require(await server.wait { $0.violations.count == 2 })
            #expect(snapshot.violations[0].contains("without an identity"))
            #expect(snapshot.violations[1].contains("lk.agent.name"))
        }
    }

    @Test func whoDoesNotRegisterIsCutOff() async throws {
        var configuration = AgentServerConfiguration()
        configuration.registerWithin = .milliseconds(1)
        try await RawWorker.run([], configuration) { worker, server in
            #expect(await worker.next() == nil)
            #expect(await server.snapshot.violations == ["a worker has not registered in time"])
        }
    }

    /// A server whose workers are at its target load offers nothing, whatever they say about being available.
    @Test func atTheTargetLoadNothingIsOffered() async throws {
        try await RawWorker.run([.register(.worker), .updateWorker(.with { $0.status = .wsAvailable; $0.load = 0.7 })]) { _, server in
            _ = try #require(await server.wait { $0.workers.first?.updates == 1 })
            let id = await server.dispatch(agentName: "raw", room: "call-1")
            #expect(await server.snapshot.job(id)?.status == .noWorker)
        }
    }

    @Test func dispatchesOfOthersAreOfferedToo() async throws {
        try await RawWorker.run([.register(.worker), .updateWorker(.with { $0.status = .wsAvailable })]) { worker, server in
            _ = try #require(await server.wait { $0.workers.first?.updates == 1 })
            let room = AgentJob.Room(sid: "RM_7", name: "call-7", metadata: "m")
            server.offer(dispatch: "AD_7", agentName: "raw", room: room, metadata: "d", attributes: ["a": "b"])
            _ = await worker.next()
            let job = try #require(await worker.next()).availability.job
            #expect(job.dispatchID == "AD_7" && job.room.sid == "RM_7" && job.room.name == "call-7" && job.room.metadata == "m")
            #expect(job.metadata == "d" && job.attributes == ["a": "b"])
        }
    }

    private func violation(
        _ text: String, ends: Bool, _ messages: () -> [AgentWireWorkerMessage.OneOf_Message?]
    ) async throws {
        try await RawWorker.run(messages()) { worker, server in
            let snapshot = try #require(await server.wait { !$0.violations.isEmpty })
            #expect(snapshot.violations.count == 1 && snapshot.violations[0].contains(text), "\(snapshot.violations)")
            if ends {
                while await worker.next() != nil {}
            } else {
                #expect(await server.snapshot.workers.count == 1)
            }
        }
    }
}

extension AgentWireRegisterWorkerRequest {
    fileprivate static var worker: AgentWireRegisterWorkerRequest {
        .with {
            $0.agentName = "raw"
            $0.version = "1"
        }
    }
}

/// A connection without a client's manners.
private final class RawWorker: Sendable {
    private let socket: NIOLoopBound<WebSocket>
    private let received: AsyncStream<AgentWireServerMessage>

    private init(_ socket: NIOLoopBound<WebSocket>, _ received: AsyncStream<AgentWireServerMessage>) {
        self.socket = socket
        self.received = received
    }

    /// Says `messages` and leaves the rest to `body`.
    static func run(
        _ messages: [AgentWireWorkerMessage.OneOf_Message?], _ configuration: AgentServerConfiguration = DispatchRun.patient { _ in },
        _ body: (RawWorker, AgentServer) async throws -> Void
    ) async throws {
        let simulator = try await LiveKitAgentSimulator.start(configuration)
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let url = try WebSocketURL(simulator.url + "/agent")
        let (received, continuation) = AsyncStream<AgentWireServerMessage>.makeStream()
        let request = WebSocketRequest(url, headers: [("Authorization", "Bearer \(simulator.workerToken())")])
        let socket = try await loop.submit {
            NIOLoopBound(
                WebSocketClient().connect(request, on: loop, handler: Listener(messages, continuation)), eventLoop: loop)
        }.get()
        do { try await body(RawWorker(socket, received), simulator.server) } catch {
            await simulator.stop()
            throw error
        }
        await simulator.stop()
    }

    /// Nil: the connection is over.
    func next() async -> AgentWireServerMessage? { await received.first { _ in true } }

    func send(_ message: AgentWireWorkerMessage.OneOf_Message) {
        socket.eventLoop.execute { Listener.send(message, self.socket.value) }
    }

    private final class Listener: WebSocketHandler {
        private let messages: [AgentWireWorkerMessage.OneOf_Message?]
        private let received: AsyncStream<AgentWireServerMessage>.Continuation

        init(_ messages: [AgentWireWorkerMessage.OneOf_Message?], _ received: AsyncStream<AgentWireServerMessage>.Continuation) {
            self.messages = messages
            self.received = received
        }

        static func send(_ message: AgentWireWorkerMessage.OneOf_Message?, _ socket: WebSocket) {
            let wire = AgentWireWorkerMessage.with { $0.message = message }
            guard let bytes: [UInt8] = try? wire.serializedBytes() else { return }
            socket.send(binaryCapacity: bytes.count) { $0.writeBytes(bytes) }
        }

        func opened(_ socket: WebSocket) {
            for message in messages { Self.send(message, socket) }
        }

        func received(binary: ByteBuffer, on socket: WebSocket) {
            if let message = try? AgentWireServerMessage(serializedBytes: Array(binary.readableBytesView)) { received.yield(message) }
        }

        func closed(_ socket: WebSocket, _ closure: WebSocketClosure) { received.finish() }
    }
}

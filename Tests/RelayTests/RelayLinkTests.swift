import NIOCore
import NIOPosix
import RelayLink
import Synchronization
import Testing

@Suite struct RelayLinkTests {
    /// Answers `attach` with `accepted`, every message of the caller with the same bytes as agent audio.
    private struct Echo: RelayServerHandler {
        let link: RelayServerLink

        func received(_ message: MessageToWorker) {
            switch message {
            case .attach(let attach): link.send(.accepted(fence: attach.seenFence + 1))
            case .caller(let number, _, _, let bytes):
                link.send(.agent(fence: 1, reply: UInt32(number), firstSample: 0, samples: 1, text: false, bytes: bytes))
            case .detached: link.close()
            default: break
            }
        }

        func closed(_ error: (any Error)?) {}
    }

    @Test func aLinkCarriesMessagesBothWaysInOrder() async throws {
        let group = MultiThreadedEventLoopGroup.singleton
        let server = try await RelayServer.bind(host: "127.0.0.1", port: 0, group: group) { Echo(link: $0) }
        let port = try #require(server.localAddress?.port)
        let (messages, incoming) = AsyncStream.makeStream(of: MessageToRelay.self)
        let loop = group.next()
        let bound = try await RelayClient.connect(host: "127.0.0.1", port: port, on: loop) { incoming.yield($0) } onClose: { _ in
            incoming.finish()
        }.get()
        try await loop.submit {
            let client = bound.value
            client.write(
                .attach(
                    RelayAttach(
                        ticket: "", session: "s", tenant: "t", attachment: "a", backend: "b", seenFence: 4,
                        reservation: "r")))
            for number in 1...100 {
                client.write(.caller(number: UInt64(number), arrivalMicroseconds: 0, text: false, bytes: ByteBuffer(integer: number)))
            }
            client.send(.detached(reason: "done", isFinal: true))
        }.get()
        var received: [MessageToRelay] = []
        for await message in messages { received.append(message) }
        #expect(received.first == .accepted(fence: 5))
        #expect(received.count == 101)
        #expect(received.last == .agent(fence: 1, reply: 100, firstSample: 0, samples: 1, text: false, bytes: ByteBuffer(integer: 100)))
        try await server.close()
    }
}

import GRPCCore
import GRPCNIOTransportHTTP2Posix
import SwiftProtobuf

@testable import SessionLog

/// A worker's stream without the client's machinery.
enum RawOwner {
    /// Says hello and one message, then takes replies until `take` has what it wants.
    static func exchange(
        _ client: StoreClient, worker: String, _ message: StoreOwnerMessage,
        _ take: @Sendable @escaping (StoreOwnerReply) -> Bool
    ) async throws {
        let (done, finish) = AsyncStream.makeStream(of: Void.self)
        try await StoreSessionStore.Client(wrapping: client.current.client).own(
            requestProducer: { writer in
                try await writer.write(.with { $0.hello.worker = worker })
                try await writer.write(message)
                for await _ in done {}
            },
            onResponse: { response in
                defer { finish.finish() }
                for try await reply in response.messages where take(reply) { return }
            })
    }
}

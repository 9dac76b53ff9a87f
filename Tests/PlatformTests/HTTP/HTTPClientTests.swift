import NIOCore
import NIOPosix
import Synchronization
import Testing

@testable import HTTPClient

/// A server that answers each request with scripted bytes; the script sees the request's text and the channel.
private final class ScriptedServer: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let script: @Sendable (any Channel, String) -> Void
    private var received = ""

    init(_ script: @escaping @Sendable (any Channel, String) -> Void) { self.script = script }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        received += String(buffer: unwrapInboundIn(data))
        guard let head = received.firstRange(of: "\r\n\r\n") else { return }
        let length =
            received.split(separator: "\r\n").first { $0.lowercased().hasPrefix("content-length:") }
            .flatMap { Int($0.split(separator: " ").last ?? "") } ?? 0
        guard received[head.upperBound...].utf8.count >= length else { return }
        let request = received
        received = ""
        script(context.channel, request)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}

private func write(_ channel: any Channel, _ text: String) {
    channel.writeAndFlush(ByteBuffer(string: text.replacing("\n", with: "\r\n")), promise: nil)
}

private func withServer(
    _ script: @escaping @Sendable (any Channel, String) -> Void, _ body: (String) async throws -> Void
) async throws {
    let server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
        .childChannelInitializer { channel in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHandler(ScriptedServer(script))
            }
        }
        .bind(host: "127.0.0.1", port: 0).get()
    do { try await body("http://127.0.0.1:\(server.localAddress?.port ?? 0)") } catch {
        try? await server.close()
        throw error
    }
    try await server.close()
}

private let loop = MultiThreadedEventLoopGroup.singleton.any()

@Suite(.timeLimit(.minutes(1))) struct HTTPClientTests {
    @Test func sendsHeadersAndBodyAndCollectsTheAnswer() async throws {
        try await withServer({ channel, request in
            let isRight =
                request.hasPrefix("POST /v1/x?a=b HTTP/1.1\r\n") && request.contains("X-Key: secret\r\n")
                && request.hasSuffix("\r\n\r\n{\"a\":1}") && !request.contains("Expect")
            write(
                channel,
                "HTTP/1.1 100 Continue\n\nHTTP/1.1 \(isRight ? 201 : 500) Created\nX-Request-ID:  r1 \ncontent-length: 2\n\nok"
            )
        }) { base in
            let client = HTTPClient()
            let request = HTTPRequest(
                "POST", base + "/v1/x?a=b", headers: [("X-Key", "secret")], body: ByteBuffer(string: "{\"a\":1}"))
            let response = try await client.send(request, on: loop)
            #expect(response.head.status == 201)
            #expect(response.head.header("x-request-id")?.hasPrefix("r1") == true)
            #expect(String(buffer: response.body) == "ok")
            client.shutDown()
        }
    }

    @Test func keepsTheConnectionForTheNextRequest() async throws {
        let connections = Mutex<Set<String>>([])
        try await withServer({ channel, _ in
            connections.withLock { _ = $0.insert("\(channel.remoteAddress?.port ?? 0)") }
            write(channel, "HTTP/1.1 200 OK\ncontent-length: 0\n\n")
        }) { base in
            let client = HTTPClient()
            for _ in 0..<5 { _ = try await client.send(HTTPRequest("GET", base), on: loop) }
            #expect(connections.withLock { $0.count } == 1)
            client.shutDown()
        }
    }

    @Test func streamsInOrderOnTheLoopThatAsked() async throws {
        try await withServer({ channel, _ in
            write(channel, "HTTP/1.1 200 OK\ntransfer-encoding: chunked\n\n")
            for i in 0..<200 { write(channel, "3\n\(100 + i)\n") }
            write(channel, "0\n\n")
        }) { base in
            let client = HTTPClient()
            let (events, log) = AsyncStream<String>.makeStream()
            client.send(HTTPRequest("GET", base), on: loop) { event in
                #expect(loop.inEventLoop)
                switch event {
                case .head(let head): log.yield("\(head.status)|")
                case .body(let data): log.yield(String(buffer: data))
                case .finished: log.finish()
                case .failed(let error): log.yield("\(error)"); log.finish()
                }
            }
            var text = ""
            for await event in events { text += event }
            #expect(text == "200|" + (0..<200).map { "\(100 + $0)" }.joined())
            client.shutDown()
        }
    }

    @Test func aBodyLargerThanTheHopIsPausedAndComplete() async throws {
        let size = 8 << 20
        try await withServer({ channel, _ in
            write(channel, "HTTP/1.1 200 OK\ncontent-length: \(8 << 20)\n\n")
            for _ in 0..<8 { channel.writeAndFlush(ByteBuffer(repeating: 0x61, count: 1 << 20), promise: nil) }
        }) { base in
            let client = HTTPClient()
            let response = try await client.send(HTTPRequest("GET", base), on: loop, maximumBodyBytes: size)
            #expect(response.body.readableBytes == size)
            await #expect(throws: HTTPClientError.self) {
                try await client.send(HTTPRequest("GET", base), on: loop, maximumBodyBytes: 1_000)
            }
            client.shutDown()
        }
    }

    @Test func nothingIsDeliveredAfterCancel() async throws {
        let (gone, closed) = AsyncStream<Void>.makeStream()
        try await withServer({ channel, _ in
            channel.closeFuture.whenComplete { _ in closed.finish() }
            write(channel, "HTTP/1.1 200 OK\ntransfer-encoding: chunked\n\n1\na\n1\nb\n")
        }) { base in
            let client = HTTPClient()
            let exchange = Mutex<HTTPExchange?>(nil)
            let seen = Mutex(0)
            try await loop.submit {
                let started = client.send(HTTPRequest("GET", base), on: loop) { event in
                    seen.withLock { $0 += 1 }
                    if case .head = event { exchange.withLock { $0 }?.cancel() }
                }
                exchange.withLock { $0 = started }
            }.get()
            for await _ in gone {}  // the client hangs up
            try await loop.submit {}.get()
            #expect(seen.withLock { $0 } == 1)
            client.shutDown()
        }
    }

    @Test func deadlinesAndRefusalsHaveTheirOwnCodes() async throws {
        try await withServer({ channel, request in
            if request.hasPrefix("GET /reset") {
                channel.close(promise: nil)
            } else if request.hasPrefix("GET /slow") {
                write(channel, "HTTP/1.1 200 OK\ncontent-length: 5\n\na")
            } else if request.hasPrefix("GET /garbage") {
                write(channel, "\u{1}\u{2}\u{3} what\n\n")
            }
        }) { base in
            let client = HTTPClient()
            func code(_ path: String, _ deadlines: HTTPDeadlines = HTTPDeadlines()) async -> HTTPClientError.Code? {
                do {
                    _ = try await client.send(HTTPRequest("GET", base + path, deadlines: deadlines), on: loop)
                    return nil
                } catch { return error.code }
            }
            #expect(await code("/silent", HTTPDeadlines(firstByte: 30)) == .timedOut)
            #expect(await code("/slow", HTTPDeadlines(total: 50)) == .timedOut)
            #expect(await code("/reset") == .connectionLost)
            #expect(await code("/garbage") != nil)
            client.shutDown()
        }
        let client = HTTPClient()
        let listener = try await ServerBootstrap(group: loop).bind(host: "127.0.0.1", port: 0).get()
        let port = listener.localAddress?.port ?? 0
        try await listener.close()
        for (url, code) in [
            ("http://127.0.0.1:\(port)/", HTTPClientError.Code.connectFailed), ("ftp://x/", .invalidRequest),
            ("::", .invalidRequest),
        ] {
            do throws(HTTPClientError) {
                _ = try await client.send(HTTPRequest("GET", url), on: loop)
                Issue.record("\(url) worked")
            } catch { #expect(error.code == code, "\(url): \(error)") }
        }
        do throws(HTTPClientError) {
            _ = try await client.send(
                HTTPRequest("GET", "http://x/?key=secret", headers: [("a", "b\r\nc: d")]), on: loop)
        } catch {
            #expect(error.code == .invalidRequest)
            #expect(!error.description.contains("secret"))
        }
        client.shutDown()
    }

    @Test func aCancelledTaskEndsItsRequest() async throws {
        try await withServer({ _, _ in }) { base in
            let client = HTTPClient()
            let request = Task { try await client.send(HTTPRequest("GET", base), on: loop) }
            request.cancel()
            await #expect(throws: HTTPClientError.self) { try await request.value }
            client.shutDown()
        }
    }

    @Test func afterShutDownRequestsFailInsteadOfHanging() async throws {
        let client = HTTPClient()
        client.shutDown()
        do throws(HTTPClientError) {
            _ = try await client.send(HTTPRequest("GET", "http://127.0.0.1:1/"), on: loop)
        } catch { #expect(error.code == .shutDown || error.code == .connectFailed) }
    }
}

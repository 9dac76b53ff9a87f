import NIOCore
import NIOHTTP1
import NIOPosix
import Testing
import WireCoding

@testable import WebSocket

/// Writes down what happens on a socket; the test waits for events by their text.
private final class Recorder: WebSocketHandler {
    private let log: AsyncStream<String>.Continuation
    private let react: (WebSocket, String) -> Void

    init(_ log: AsyncStream<String>.Continuation, _ react: @escaping (WebSocket, String) -> Void = { _, _ in }) {
        self.log = log
        self.react = react
    }

    func opened(_ socket: WebSocket) { note("opened", socket) }
    func received(text: ByteBuffer, on socket: WebSocket) { note("text " + String(buffer: text), socket) }
    func received(binary: ByteBuffer, on socket: WebSocket) { note("binary \(binary.readableBytes)", socket) }
    func closed(_ socket: WebSocket, _ closure: WebSocketClosure) {
        let error = closure.error.map { " \($0.code)\($0.refusal.map { " \($0.status) \($0.body)" } ?? "")" } ?? ""
        note("closed \(closure.code.rawValue) \(closure.reason)\(error)", socket)
    }

    private func note(_ event: String, _ socket: WebSocket) {
        log.yield(event)
        react(socket, event)
    }
}

/// A server whose sockets run a script; other paths than `/ws` are refused with 401 and a body.
private func withServer(
    configuration: WebSocketConfiguration = WebSocketConfiguration(),
    script: @escaping @Sendable (WebSocket, String) -> Void,
    _ body: (_ port: Int, _ events: AsyncStream<String>) async throws -> Void
) async throws {
    let (events, log) = AsyncStream<String>.makeStream()
    let server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
        .childChannelInitializer { channel in
            channel.eventLoop.makeCompletedFuture {
                let upgrader = WebSocketServerUpgrader<Bool>(
                    configuration: configuration,
                    decide: { channel, head in
                        let refusal = WebSocketDecision.refuse(
                            status: 401, headers: ["dg-error": "bad key"], body: "bad key")
                        return channel.eventLoop.makeSucceededFuture(head.uri.hasPrefix("/ws") ? .accept([:]) : refusal)
                    },
                    makeHandler: { _, _ in Recorder(log, script) }, result: { _ in true })
                let upgrade = NIOTypedHTTPServerUpgradeConfiguration<Bool>(
                    upgraders: [upgrader],
                    notUpgradingCompletionHandler: { channel in
                        channel.eventLoop.makeCompletedFuture {
                            Issue.record("a refused upgrade reached the HTTP server")
                            return false
                        }
                    })
                _ = try channel.pipeline.syncOperations.configureUpgradableHTTPServerPipeline(
                    configuration: .init(upgradeConfiguration: upgrade))
            }
        }
        .bind(host: "127.0.0.1", port: 0).get()
    do { try await body(server.localAddress?.port ?? 0, events) } catch {
        try? await server.close()
        throw error
    }
    try await server.close()
}

private let loop = MultiThreadedEventLoopGroup.singleton.any()

private func connect(
    _ url: String, deadline: TimeAmount = .seconds(5), configuration: WebSocketConfiguration = WebSocketConfiguration(),
    script: @escaping @Sendable (WebSocket, String) -> Void = { _, _ in }
) async throws -> AsyncStream<String> {
    let (events, log) = AsyncStream<String>.makeStream()
    let url = try WebSocketURL(url)
    try await loop.submit {
        _ = WebSocketClient().connect(
            WebSocketRequest(url, headers: [("Authorization", "Token k")], connectDeadline: deadline),
            configuration: configuration,
            on: loop, handler: Recorder(log, script))
    }.get()
    return events
}

/// The events up to and including the first that starts with `last`.
private func collect(_ events: AsyncStream<String>, until last: String) async -> [String] {
    var seen: [String] = []
    for await event in events {
        seen.append(event)
        if event.hasPrefix(last) { break }
    }
    return seen
}

@Suite(.timeLimit(.minutes(1))) struct WebSocketTests {
    @Test func bothEndsTalkAndCloseWithAReason() async throws {
        try await withServer(script: { socket, event in
            switch event {
            case "opened": socket.send(text: "hello")  // may arrive in one packet with the 101
            case "binary 70000": socket.close(.policyViolation, reason: "enough")
            default: break
            }
        }) { port, serverEvents in
            let events = try await connect("ws://127.0.0.1:\(port)/ws?x=1") { socket, event in
                guard event == "text hello" else { return }
                socket.send(text: "käse")
                socket.send(binary: ByteBuffer(repeating: 7, count: 70_000))
            }
            #expect(await collect(events, until: "closed") == ["opened", "text hello", "closed 1008 enough"])
            #expect(
                await collect(serverEvents, until: "closed") == [
                    "opened", "text käse", "binary 70000", "closed 1008 enough",
                ])
        }
    }

    @Test(arguments: [0, 1, 125, 126, 127, 65_535, 65_536])
    func payloadsOfEverySizeClassSurvive(size: Int) async throws {
        try await withServer(script: { socket, event in
            if event.hasPrefix("text") { socket.send(text: String(event.dropFirst(5))) }
        }) { port, _ in
            let text = String(repeating: "x", count: size)
            let events = try await connect("ws://localhost:\(port)/ws") { socket, event in
                if event == "opened" { socket.send(text: text) } else { socket.close() }
            }
            #expect(await collect(events, until: "closed") == ["opened", "text \(text)", "closed 1000 "])
        }
    }

    @Test func aRefusalCarriesStatusAndBody() async throws {
        try await withServer(script: { _, _ in }) { port, _ in
            let events = try await connect("ws://127.0.0.1:\(port)/elsewhere")
            #expect(await collect(events, until: "closed").last?.hasSuffix("refused 401 bad key") == true)
        }
    }

    @Test func nobodyListeningIsAnErrorNotAHang() async throws {
        let listener = try await ServerBootstrap(group: loop).bind(host: "127.0.0.1", port: 0).get()
        let port = listener.localAddress?.port ?? 0
        try await listener.close()
        let events = try await connect("ws://127.0.0.1:\(port)/ws")
        #expect(await collect(events, until: "closed").last?.contains("connect-failed") == true)
    }

    @Test func aServerThatNeverAnswersRunsIntoTheDeadline() async throws {
        let listener = try await ServerBootstrap(group: loop).bind(host: "127.0.0.1", port: 0).get()
        let events = try await connect(
            "ws://127.0.0.1:\(listener.localAddress?.port ?? 0)/ws", deadline: .milliseconds(50))
        #expect(await collect(events, until: "closed").last?.contains("timed-out") == true)
        try await listener.close()
    }

    @Test func tooLongAMessageIsClosedWith1009() async throws {
        try await withServer(configuration: WebSocketConfiguration(maximumMessageBytes: 1_000), script: { _, _ in }) {
            port, _ in
            let events = try await connect("ws://127.0.0.1:\(port)/ws") { socket, event in
                if event == "opened" { socket.send(binary: ByteBuffer(repeating: 0, count: 1_001)) }
            }
            #expect(await collect(events, until: "closed").last == "closed 1009 message longer than 1000 bytes")
        }
    }

    @Test func rawGarbageIsClosedWithAProtocolError() async throws {
        var random = SplitMix(state: 7)
        for _ in 0..<20 {
            let garbage = (0..<200).map { _ in UInt8.random(in: 0...255, using: &random) }
            try await withServer(script: { _, _ in }) { port, serverEvents in
                let raw = try await ClientBootstrap(group: loop).connect(host: "127.0.0.1", port: port).get()
                let handshake =
                    "GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
                try await raw.writeAndFlush(ByteBuffer(string: handshake)).get()
                #expect(await collect(serverEvents, until: "opened") == ["opened"])
                try await raw.writeAndFlush(ByteBuffer(bytes: garbage + [0x81, 0x01, 0x41])).get()
                try? await raw.close()
                let last = await collect(serverEvents, until: "closed").last ?? ""
                #expect(["1002", "1006", "1007", "1009"].contains(String(last.dropFirst(7).prefix(4))), "\(last)")
            }
        }
    }

    @Test func sendsAboveTheBoundAreDroppedAndCounted() async throws {
        let configuration = WebSocketConfiguration(maximumPendingBytes: 1 << 20)
        try await withServer(script: { socket, event in if event == "opened" { socket.setReading(false) } }) {
            port, _ in
            let (counts, report) = AsyncStream<WebSocketCounters>.makeStream()
            let events = try await connect("ws://127.0.0.1:\(port)/ws", configuration: configuration) { socket, event in
                guard event == "opened" else { return }
                let chunk = ByteBuffer(repeating: 1, count: 500_000)
                while socket.send(binary: chunk) {}
                #expect(!socket.isWritable)
                #expect(socket.pendingBytes >= 1 << 20)
                report.yield(socket.counters)
                socket.abandon()
            }
            var iterator = counts.makeAsyncIterator()
            let counters = await iterator.next()
            #expect(counters?.messagesDropped == 1)
            #expect((counters?.messagesOut ?? 0) >= 3)
            withExtendedLifetime(events) {}
        }
    }

    @Test func digestAndBase64AgreeWithTheStandards() {
        #expect(WebSocketAccept.value(for: "dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")  // RFC 6455 1.3
        let text = "Many hands make light work."
        for length in 0...text.utf8.count {
            let bytes = Array(text.utf8.prefix(length))
            #expect(Base64.decode(Array(Base64.encode(bytes).utf8).span) == bytes)
            var encoded = ByteBuffer(string: "x")
            Base64.encode(bytes.span.bytes, into: &encoded)
            #expect(String(buffer: encoded) == "x" + Base64.encode(bytes))
            #expect(encoded.readableBytes == 1 + Base64.encodedCount(length))
            var decoded = ByteBuffer(string: "x")
            #expect(Base64.decode(Array(Base64.encode(bytes).utf8).span, into: &decoded))
            #expect(Array(decoded.readableBytesView) == Array("x".utf8) + bytes)
        }
        #expect(Base64.encode(Array("foobar".utf8)) == "Zm9vYmFy")
        #expect(Base64.decode(Array("Zm9*".utf8).span) == nil)
        #expect(Base64.decode(Array("Zm9vY".utf8).span) == nil)
        var untouched = ByteBuffer(string: "x")
        #expect(!Base64.decode(Array("Zm9*".utf8).span, into: &untouched))
        #expect(String(buffer: untouched) == "x")
        #expect(Base64.decodeSamples(Array("AQD//w==".utf8).span) == [1, -1])
    }

    @Test func urlsAreReadOrRefusedWithAReason() throws {
        let url = try WebSocketURL("wss://api.deepgram.com/v1/listen?model=nova-3")
        #expect(
            url.isSecure && url.host == "api.deepgram.com" && url.port == 443 && url.target == "/v1/listen?model=nova-3"
        )
        #expect(url.description == "wss://api.deepgram.com/v1/listen")
        let local = try WebSocketURL("http://[::1]:8080?a=b")
        #expect(local.host == "::1" && local.port == 8080 && local.target == "/?a=b" && local.authority == "[::1]:8080")
        for bad in [
            "", "api.example.com", "ftp://x", "ws://", "ws://a:99999", "ws://u:p@h/", "ws://h/a b", "ws://h/#f",
            "ws://[::1",
        ] {
            #expect(throws: WebSocketError.self) { try WebSocketURL(bad) }
        }
        #expect(WebSocketURL.encode("a b&ü") == "a%20b%26%C3%BC")
    }
}

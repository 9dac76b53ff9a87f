import CallerSimulator
import ClusterSupport
import Foundation
import NIOCore
import NIOPosix
import PipecatBackend
import RedisClient
import TestDatabases
import Testing
import WebSocket

extension ClusterTests {
    /// Whatever a caller sends: it is told what was wrong and what to do, and no other call notices.
    @Suite struct BadInputTests {
        @Test func callersWithoutAGoodCredentialAreToldWhy() async throws {
            let bed = try await Testbed.shared()
            let good = try await API.token(at: bed.cluster.url(), agent: "lead-qualification", key: LocalCluster.apiKey)
            let used = WireCaller(try Testbed.webSocketURL(bed.cluster, "token=\(good)"))
            used.ready()
            try await used.opened()
            used.ready()
            try await used.message("bot-ready")
            let expired = try await API.token(
                at: bed.cluster.url(), agent: "lead-qualification", key: LocalCluster.apiKey)
            try await expireTokens(of: bed.cluster)
            let cases: [(query: String, key: String?, code: UInt16, words: [String])] = [
                ("", nil, 4003, ["missing_credentials", "POST /v1/connect"]),
                ("token=nonsense", nil, 4003, ["bad_token", "pct_", "parley_"]),
                ("token=pct_nonsense", nil, 4003, ["bad_token", "not known or older than 60 s"]),
                ("token=\(good)", nil, 4003, ["used_token", "POST /v1/connect"]),
                ("token=\(expired)", nil, 4003, ["bad_token", "older than 60 s"]),
                ("agent=lead-qualification", "parley_wrong_key", 4003, ["bad_key", "not known or was revoked"]),
                (
                    "agent=nobody", LocalCluster.apiKey, 4004,
                    ["unknown_agent", "'nobody'", "known: clerk, lead-qualification, monologue, voiced"]
                ),
                ("", LocalCluster.apiKey, 4000, ["bad_request", "?agent=NAME"]),
            ]
            for (query, key, code, words) in cases {
                let caller = WireCaller(try Testbed.webSocketURL(bed.cluster, query), key: key)
                try await expectRefusal(of: caller, code, words, "query '\(query.prefix(24))'")
            }
            #expect(
                used.state.closure == nil, "a refused reuse of a token must not end the call that the token was for")
            used.close()
        }

        /// As if the tokens had been minted a minute ago: Redis is told that their time is over.
        private func expireTokens(of cluster: LocalCluster) async throws {
            let redis = RedisClient(
                try RedisConfiguration(url: cluster.redisURL), on: MultiThreadedEventLoopGroup.singleton.next(),
                logger: TestPostgres.quiet)
            let keys = try await redis.send(RedisCommand("KEYS", "parley:token:*")).array?.compactMap(\.string) ?? []
            for key in keys where try await redis.send(RedisCommand("GET", .string(key))).string != "used" {
                let life = try await redis.send(RedisCommand("PTTL", .string(key))).integer ?? -1
                #expect((1...60_000).contains(life), "a token lives for 60 s at most")
                _ = try await redis.send(RedisCommand("PEXPIRE", .string(key), .integer(0)))
            }
            await redis.close()
        }

        @Test func brokenMessagesEndTheirOwnCallOnly() async throws {
            let bed = try await Testbed.shared()
            async let bystander = bed.call(lines: 3)
            for isReady in [true, false] {
                for (name, code, words, send) in brokenMessages {
                    let caller = WireCaller(try bed.request(agent: "lead-qualification"))
                    try await caller.opened()
                    if isReady {
                        caller.ready()
                        try await caller.message("bot-ready")
                    }
                    send(caller)
                    try await expectRefusal(of: caller, code, words, "\(name), \(isReady ? "RTVI" : "raw") client")
                }
            }
            let report = try await bystander
            #expect(report.failures.isEmpty && report.endedBy == "caller", "\(report)")
            #expect(report.exchanges.count == 3)
            try await expectNothingIsLeft(bed)
        }

        private typealias Broken = (name: String, code: UInt16, words: [String], send: (WireCaller) -> Void)

        private var brokenMessages: [Broken] {
            [
                (
                    "not protobuf", 1002, ["malformed Pipecat frame"],
                    { $0.send(binary: ByteBuffer(bytes: [0xff, 0xff, 0xff, 0xff])) }
                ),
                (
                    "cut off", 1002, ["malformed Pipecat frame", "bytes"],
                    { $0.send(binary: ByteBuffer(bytes: [0x12, 0x7f, 0x01])) }
                ),
                ("empty", 1002, ["malformed Pipecat frame", "empty"], { $0.send(binary: ByteBuffer()) }),
                ("sample rate", 1002, ["4000000", "4000 to 192000"], { $0.sendSilence(sampleRate: 4_000_000) }),
                (
                    "text", 1002, ["text message", "binary"],
                    { $0.send(text: #"{"label":"rtvi-ai","type":"client-ready"}"#) }
                ),
                ("oversize", 1009, ["1048576 bytes"], { $0.send(binary: ByteBuffer(repeating: 0, count: 2 << 20)) }),
            ]
        }

        @Test func aMessageThatIsNoRTVIIsAnsweredAndTheCallGoesOn() async throws {
            let bed = try await Testbed.shared()
            let caller = WireCaller(try bed.request(agent: "lead-qualification"))
            try await caller.opened()
            caller.ready()
            try await caller.message("bot-ready")
            var out = ByteBuffer()
            PipecatFrame.encodeMessage(ByteBuffer(string: "{no json"), into: &out)
            caller.send(binary: out)
            let refusal = try await caller.message("error")
            #expect(refusal.text.contains("the message is not JSON") && !refusal.isFatal)
            caller.send("append-to-context", id: "7")
            let answer = try await caller.message("error-response")
            #expect(answer.id == "7" && answer.text.contains("append-to-context"))
            #expect(caller.state.closure == nil)
            caller.send("disconnect-bot")
            #expect(try await caller.closure().code == .normal)
        }

        @Test func requestsThatAreNoHTTPAreRefused() async throws {
            let bed = try await Testbed.shared()
            let port = try #require(URL(string: bed.cluster.url())?.port)
            // Says nothing more and gets no answer: it may not stay for ever.
            async let unfinished = RawConnection.answer(to: "GET /v1/ws HTTP/1.1\r\nHost: x\r\n", port: port)
            let upgrade =
                "Host: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            let cases: [(request: String, status: Int, words: String)] = [
                ("\u{1}\u{2}garbage\r\n\r\n", 400, ""),
                ("\u{16}\u{3}\u{1} a TLS greeting \r\n\r\n", 400, ""),
                (
                    "GET /v1/ws HTTP/1.1\r\n\(upgrade)Sec-WebSocket-Version: 12\r\n\r\n", 400,
                    "not a WebSocket 13 request"
                ),
                (
                    "GET /nowhere HTTP/1.1\r\n\(upgrade)Sec-WebSocket-Version: 13\r\n\r\n", 404,
                    "no WebSocket is served here"
                ),
                ("GET /v1/ws HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 426, "Upgrade: websocket"),
                ("GET /v1/nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 404, ""),
            ]
            for (request, status, words) in cases {
                let answer = try await RawConnection.answer(to: request, port: port)
                #expect(
                    answer.hasPrefix("HTTP/1.1 \(status)") && (words.isEmpty || answer.contains(words)),
                    "\(request.prefix(30).debugDescription) was answered with \(answer.prefix(300).debugDescription)")
            }
            // Refused before it was read to its end: a reset connection may swallow the answer.
            let endless = try await RawConnection.answer(
                to: "GET / HTTP/1.1\r\nX: \(String(repeating: "x", count: 200_000))\r\n\r\n", port: port)
            #expect(endless.isEmpty || endless.hasPrefix("HTTP/1.1 400"), "\(endless.prefix(300))")
            #expect(try await unfinished == "")
            let json = try await API.connect(at: bed.cluster.url(), body: "{", key: LocalCluster.apiKey)
            #expect(json.status == 400 && json.body.contains("the body must be JSON like"))
            let nobody = try await API.connect(
                at: bed.cluster.url(), body: #"{"agent": "nobody"}"#, key: LocalCluster.apiKey)
            #expect(nobody.status == 404 && nobody.body.contains("known: clerk, lead-qualification, monologue, voiced"))
            let nokey = try await API.connect(at: bed.cluster.url(), body: #"{"agent": "nobody"}"#, key: nil)
            #expect(nokey.status == 401 && nokey.body.contains("Bearer parley_"))
            let huge = try await API.connect(
                at: bed.cluster.url(), body: String(repeating: " ", count: 100_000), key: LocalCluster.apiKey)
            #expect(huge.status == 400 && huge.body.contains("65536 bytes"))
        }

        /// Callers that vanish at every stage of their connection: none of them may go on taking up a worker's room.
        @Test func callersWhoVanishLeaveNothingBehind() async throws {
            let bed = try await Testbed.shared()
            for count in 0..<12 {
                // An agent that would wait for ten minutes.
                let caller = WireCaller(try bed.request(agent: "monologue"))
                try await caller.opened()
                // Further and further into the connection's set-up, without a look at the clock.
                for _ in 0..<count { _ = await LocalCluster.get(bed.cluster.opsURL("dispatcher-1") + "/healthz") }
                caller.abort()
            }
            try await expectNothingIsLeft(bed)
            let report = try await bed.call(lines: 1)
            #expect(report.failures.isEmpty, "\(report)")
        }

        // MARK: -

        /// The caller gets an RTVI error with all the words, and a close frame with that code and a reason that says the same.
        private func expectRefusal(of caller: WireCaller, _ code: UInt16, _ words: [String], _ name: String)
            async throws
        {
            let closure = try await caller.closure()
            let errors = caller.all("error")
            #expect(closure.code.rawValue == code, "\(name): closed with \(closure.code.rawValue) \(closure.reason)")
            #expect(errors.count == 1 && errors.first?.isFatal == true, "\(name): told \(caller.state.told)")
            for word in words {
                #expect(
                    errors.first?.text.contains(word) == true,
                    "\(name): the error is '\(errors.first?.text ?? "")', expected \(word)")
            }
            #expect(
                errors.first?.text.hasPrefix(closure.reason.prefix(60)) == true,
                "\(name): the close reason is '\(closure.reason)'")
        }

        /// The services still run, and no session of an ended call is left on the worker.
        private func expectNothingIsLeft(_ bed: Testbed) async throws {
            // Sooner than silence alone would end a connection.
            try await eventually(
                "no session on the worker; \(bed.cluster.log("media-worker-1").suffix(2_000))", within: 40
            ) {
                await bed.metric("parley_worker_sessions", of: "media-worker-1") == 0
            }
            for name in bed.cluster.serviceNames {
                try await eventually("\(name) is ready") { await LocalCluster.get(bed.cluster.opsURL(name) + "/readyz")?.status == 200 }
            }
        }
    }
}

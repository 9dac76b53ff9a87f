import Foundation
import FoundationNetworking
import ServiceSupport
import Telemetry
import Testing

@Suite struct OpsServerTests {
    private struct Server {
        let address: NetworkAddress
        let metrics: MetricsRegistry
        let health: Health

        func get(
            _ path: String, method: String = "GET", body: Data? = nil, headers: [String: String] = [:]
        ) async throws -> (status: Int, type: String?, text: String) {
            var request = URLRequest(url: try #require(URL(string: "http://\(address)\(path)")), timeoutInterval: 30)
            request.httpMethod = method
            request.httpBody = body
            for (name, value) in headers { request.setValue(value, forHTTPHeaderField: name) }
            let (data, response) = try await URLSession(configuration: .ephemeral).data(for: request)
            let http = try #require(response as? HTTPURLResponse)
            return (
                http.statusCode, http.value(forHTTPHeaderField: "Content-Type"), String(decoding: data, as: UTF8.self)
            )
        }
    }

    private func withServer(
        _ address: NetworkAddress = NetworkAddress(host: "127.0.0.1", port: 0), _ body: (Server) async throws -> Void
    ) async throws {
        let (metrics, health) = (MetricsRegistry(), Health())
        let (addresses, listening) = AsyncStream<NetworkAddress>.makeStream()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                defer { listening.finish() }
                try await OpsServer(
                    address: address, metrics: metrics, health: health, logger: CapturedLog().logger(),
                    onListening: { listening.yield($0) }
                ).run()
            }
            if let address = await addresses.first(where: { _ in true }) {
                try await body(Server(address: address, metrics: metrics, health: health))
                group.cancelAll()
                while let result = await group.nextResult() { _ = result }
            } else {
                try await group.waitForAll()
            }
        }
    }

    @Test func metricsAreServedAsPrometheusReadsThem() async throws {
        try await withServer { server in
            ProcessMetrics.register(in: server.metrics, service: "test", version: "1")
            server.metrics.counter("parley_calls_total", help: "Calls.", labels: ["tenant": "a\"b"]).increment(by: 3)
            server.metrics.histogram("parley_turn_seconds", help: "Turns.").observe(0.3)
            let response = try await server.get("/metrics")
            #expect(response.status == 200)
            #expect(response.type == "text/plain; version=0.0.4; charset=utf-8")
            let read = try ExpositionParser(response.text)
            #expect(read.value("parley_calls_total", ["tenant": "a\"b"]) == 3)
            try Promtool.check(response.text)
        }
    }

    @Test func healthSaysWhatIsStuckAndReadinessWhatIsMissing() async throws {
        try await withServer { server in
            let isAlive = try await server.get("/healthz")
            #expect(
                isAlive.status == 200 && isAlive.type == "application/json"
                    && isAlive.text == "{\"status\":\"alive\"}\n")
            let isReady = try await server.get("/readyz")
            #expect(isReady.status == 200 && isReady.text == "{\"status\":\"ready\"}\n")
            server.health.addReadinessCheck("redis") { .notReady("no answer from redis://127.0.0.1:6379") }
            _ = server.health.addWatchdog("loop", limit: .seconds(-1))
            let ready = try await server.get("/readyz")
            #expect(ready.status == 503)
            #expect(
                ready.text
                    == "{\"faults\":{\"redis\":\"no answer from redis://127.0.0.1:6379\"},\"status\":\"not ready\"}\n")
            let alive = try await server.get("/healthz")
            #expect(alive.status == 503)
            #expect(alive.text.contains("\"loop\":\"no sign of life"))
        }
    }

    @Test func otherRequestsAreRefusedAndHarmNobody() async throws {
        try await withServer { server in
            let unknown = try await server.get("/nothing")
            let post = try await server.get("/metrics", method: "POST", body: Data("x".utf8))
            let delete = try await server.get("/metrics", method: "DELETE")
            #expect(unknown.status == 404 && post.status == 405 && delete.status == 405)
            let large = String(repeating: "a", count: 20_000)
            let oversize = try? await server.get("/metrics", headers: ["X-Large": large])
            let after = try await server.get("/healthz")
            #expect(oversize?.status != 200)
            #expect(after.status == 200)
        }
    }

    @Test func anAddressInUseIsNamed() async throws {
        try await withServer { server in
            let error = await #expect(throws: ServiceError.self) { try await withServer(server.address) { _ in } }
            #expect(error?.code == .cannotListen)
            #expect(error?.message.contains(server.address.description) == true)
        }
    }
}

/// Prometheus's own checker, where it is installed.
private enum Promtool {
    static func check(_ text: String) throws {
        let path = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
            .map { "\($0)/promtool" }.first { FileManager.default.isExecutableFile(atPath: $0) }
        guard let path else { return }
        let file = FileManager.default.temporaryDirectory.appending(path: "metrics-\(UUID().uuidString).txt")
        try text.write(to: file, atomically: true, encoding: .utf8)
        defer { try? FileManager.default.removeItem(at: file) }
        let (process, output) = (Process(), Pipe())
        process.executableURL = URL(filePath: path)
        process.arguments = ["check", "metrics"]
        process.standardInput = try FileHandle(forReadingFrom: file)
        process.standardError = output
        try process.run()
        let complaints = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0, "\(String(decoding: complaints, as: UTF8.self))")
    }
}

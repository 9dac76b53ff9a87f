import Logging
import ServiceLifecycle
import ServiceSupport
import Telemetry
import Testing

@Suite struct ServiceRunnerTests {
    private struct Broken: Error, CustomStringConvertible {
        var description: String { "the disk is full" }
    }

    /// A service made of a closure.
    private struct Task: Service {
        let body: @Sendable () async throws -> Void

        init(_ body: @escaping @Sendable () async throws -> Void) {
            self.body = body
        }

        func run() async throws { try await body() }
    }

    private static let name = EnvironmentKey<String>.string("PARLEY_NAME", default: nil, help: "A name.")
    private let log = CapturedLog()

    private func run(
        _ variables: [String: String] = ["PARLEY_NAME": "x"], metrics: MetricsRegistry = MetricsRegistry(),
        _ build: ServiceRunner.Build
    ) async -> ExitCode {
        let definition = ServiceDefinition(name: "test", opsPort: 0, keys: [Self.name.declaration])
        let runner = ServiceRunner(
            definition, variables: variables, metrics: metrics, makeLogger: { [log] in log.logger($0) }, signals: [])
        return await runner.run(build)
    }

    @Test func aWrongConfigurationIsReportedInFullAndNothingStarts() async {
        let code = await run(["PARLEY_OPS_ADDRESS": "nowhere", "PARLEY_LOG_LEVEL": "loud", "PARLEY_NAMES": "x"]) { _ in
            Issue.record("must not be built")
            return []
        }
        #expect(code == .configuration)
        let text = log.text
        #expect(text.contains("PARLEY_NAME is not set; it must be text (A name.)"))
        #expect(text.contains("PARLEY_OPS_ADDRESS is 'nowhere'; it must be host:port"))
        #expect(text.contains("PARLEY_LOG_LEVEL is 'loud'; allowed: trace, debug"))
        #expect(text.contains("did you mean PARLEY_NAME?"))
    }

    @Test func aProcessEndsWhenItIsAskedToInReverseOrderAndIsNotReadyMeanwhile() async {
        let events = Shared<[String]>([])
        let metrics = MetricsRegistry()
        let code = await run(["PARLEY_NAME": "x", "PARLEY_NAMMES": "y"], metrics: metrics) { context in
            let name = try context.environment.get(Self.name)
            #expect(name == "x")
            return [
                Task {
                    try await gracefulShutdown()
                    events.withLock { $0.append("first ends") }
                },
                Task {
                    context.announce("public", at: "http://127.0.0.1:1")
                    context.shutdown.request(reason: "test is over")
                    try await gracefulShutdown()
                    let faults = await context.health.readinessFaults()
                    events.withLock { $0.append("second ends: \(faults)") }
                },
            ]
        }
        #expect(code == .success)
        #expect(events.current == ["second ends: [\"shutdown\": \"shutting down: test is over\"]", "first ends"])
        let text = log.text
        #expect(text.contains("\"msg\":\"starting\"") && text.contains("\"version\":\"\(ParleyVersion.current)\""))
        #expect(text.contains("\"endpoint\":\"public\"") && text.contains("\"msg\":\"stopped\""))
        #expect(text.contains("PARLEY_NAMMES is set and means nothing to this service; did you mean PARLEY_NAME?"))
        #expect(metrics.value("parley_build_info", labels: ["service": "test", "version": ParleyVersion.current]) == 1)
    }

    @Test func aPartThatFailsEndsTheProcessAndIsNamed() async {
        let code = await run { _ in [Task { throw Broken() }] }
        #expect(code == .failure)
        #expect(log.text.contains("the disk is full"))
    }

    @Test func aServiceThatCannotBeBuiltEndsTheProcess() async {
        let code = await run { _ in throw Broken() }
        #expect(code == .failure)
        #expect(log.text.contains("the disk is full"))
    }

    @Test func aPartThatEndsUnaskedIsAFailure() async {
        let code = await run { _ in [Task {}] }
        #expect(code == .failure)
        #expect(log.text.contains("ended although nobody asked it to"))
    }

    @Test func whatDoesNotEndWithinTheGracePeriodIsCancelled() async {
        let code = await run(["PARLEY_NAME": "x", "PARLEY_SHUTDOWN_GRACE": "0s"]) { context in
            [
                Task {
                    context.shutdown.request(reason: "over")
                    let (never, continuation) = AsyncStream<Void>.makeStream()
                    for await _ in never {}
                    continuation.finish()
                }
            ]
        }
        #expect(code == .success)
    }

    @Test func helpForTheConfigurationListsWhatEveryServiceHas() {
        let help = ServiceDefinition(name: "test", opsPort: 9100, keys: [Self.name.declaration]).configurationHelp
        for name in [
            "PARLEY_NAME", "PARLEY_OPS_ADDRESS", "127.0.0.1:9100", "PARLEY_SHUTDOWN_GRACE", "PARLEY_LOG_LEVEL",
        ] {
            #expect(help.contains(name))
        }
    }
}

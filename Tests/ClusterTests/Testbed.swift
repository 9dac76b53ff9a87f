import Audio
import CallerSimulator
import ClusterSupport
import Foundation
import NIOCore
import NIOPosix
import ProviderSimulator
import TestDatabases
import Testing
import WebSocket

/// Tests of the built executables over real sockets. They run one after the other: every one of them wants the machine for itself.
@Suite(.serialized, .timeLimit(.minutes(5))) struct ClusterTests {}

/// One cluster without a database, whose providers are simulated in this process. Started by the first test that wants it; it ends with the process.
struct Testbed: Sendable {
    /// What callers say, in this order; the simulated recogniser understands exactly this.
    static let lines = [
        "My name is Anna Schmidt.", "I work for Northwind Traders.", "We need a phone system for forty people.",
        "About twenty thousand dollars.", "In three months.",
    ]
    /// One sentence after the other, almost half a minute of speech.
    static let monologue = (1...7).map { "This is sentence number \($0) of a long and patient announcement." }.joined(
        separator: " ")

    let cluster: LocalCluster
    let simulator: ProviderSimulator

    // Tests share it, so it belongs to none of their tasks.
    private static let starting = Task { try await Testbed() }

    static func shared() async throws -> Testbed { try await starting.value }

    private init() async throws {
        simulator = try await Self.startSimulator()
        cluster = try await LocalCluster.start(Self.options(simulator))
    }

    static func startSimulator(_ change: (inout SimulatorConfiguration) -> Void = { _ in }) async throws -> ProviderSimulator {
        var configuration = SimulatorConfiguration()
        configuration.recognition.script = try lines.map { line in
            ScriptedUtterance(line, speechMilliseconds: Int(try CallerSpeech(line, voice: "rms").duration.milliseconds))
        }
        configuration.language.rules = [
            LanguageRule(
                "opening hours", answer: "Let me look. ", calls: [.init("look_up", #"{"topic": "hours"}"#)], afterCalls: "We open at nine."),
            LanguageRule("story", answer: RoomBed.story + "."),
            LanguageRule("where am i", answer: "One moment. ", calls: [.init("locate", #"{"exactly": true}"#)], afterCalls: "You are there."),
        ]
        change(&configuration)
        return try await ProviderSimulator.start(configuration)
    }

    static func options(_ simulator: ProviderSimulator) throws -> LocalCluster.Options {
        var options = LocalCluster.Options()
        options.agents = ["lead-qualification.yaml": try leadQualification(), "monologue.yaml": monologueAgent, "clerk.yaml": clerkAgent, "voiced.yaml": try voicedAgent()]
        // Who is gone without a word is waited for, and tests wait for that.
        options.environment = simulator.environment.merging(["PARLEY_RECONNECT_WINDOW": "5s"]) { $1 }
        options.serviceEnvironment["media-worker"] = ["PARLEY_RTVI_EVAL": "true"]
        return options
    }

    /// The agent of this checkout with simulated ears and voice.
    static func leadQualification() throws -> String {
        try String(contentsOfFile: TestPostgres.repository + "/agents/lead-qualification.yaml", encoding: .utf8)
            .replacingOccurrences(of: "stt: local/pocketsphinx", with: "stt: deepgram/nova-3")
            .replacingOccurrences(of: "tts: local/flite", with: "tts: cartesia/sonic-3")
    }

    /// The same with a voice that is speech to others, not tones.
    private static func voicedAgent() throws -> String {
        try leadQualification().replacingOccurrences(of: "agent: lead-qualification", with: "agent: voiced")
            .replacingOccurrences(of: "tts: cartesia/sonic-3", with: "tts: local/flite")
    }

    private static let monologueAgent = """
        agent: monologue
        pipeline:
          stt: deepgram/nova-3
          llm: [openai/gpt-4o-mini]
          tts: cartesia/sonic-3
        greeting:
          say: \(monologue)
          interruptible: false
        limits:
          idle_seconds: 600
        """

    /// Has a tool that nobody has configured, and one that the client runs.
    private static let clerkAgent = """
        agent: clerk
        pipeline:
          stt: deepgram/nova-3
          llm: [openai/gpt-4o-mini]
          tts: cartesia/sonic-3
        tools:
          - name: look_up
            description: Looks something up.
          - name: locate
            description: Where the caller is.
            run: client
            timeout_ms: 20000
        """

    /// The public address with `ws` as its scheme, with `query` behind the path.
    static func webSocketAddress(_ cluster: LocalCluster, _ query: String, path: String = "/v1/ws") -> String {
        cluster.url().replacingOccurrences(of: "http", with: "ws") + path + "?" + query
    }

    static func webSocketURL(_ cluster: LocalCluster, _ query: String) throws -> WebSocketURL {
        try WebSocketURL(webSocketAddress(cluster, query))
    }

    func request(agent: String) throws -> WebSocketRequest {
        WebSocketRequest(
            try Self.webSocketURL(cluster, "agent=\(agent)"),
            headers: [("Authorization", "Bearer \(LocalCluster.apiKey)")],
            connectDeadline: .seconds(20))
    }

    /// A call with a simulated caller that says the first `lines` lines and hangs up; returns its report.
    func call(lines count: Int) async throws -> CallReport {
        try await Self.call(try request(agent: "lead-qualification"), lines: count)
    }

    static func call(_ request: WebSocketRequest, lines count: Int) async throws -> CallReport {
        let answers = ["company", "do for you", "budget", "start", "goodbye"]
        let steps = (0..<count).map { index in
            Scenario.Step(
                .say(lines[index]), expectAgent: [answers[index]],
                expectHeard: String(lines[index].dropLast().split(separator: " ").last ?? ""))
        }
        // After the last answer the agent hangs up; before that the caller does, having heard the answer to its last line.
        let isWhole = count == lines.count
        let scenario = Scenario(
            name: "cluster", steps: isWhole ? steps : steps + [.init(.silence, delay: 200)], patience: 60_000,
            endedBy: isWhole ? "agent" : "caller")
        let speeches = try SimulatedCaller.speeches(for: scenario)
        let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
        return await withCheckedContinuation { continuation in
            eventLoop.execute {
                SimulatedCaller.call(
                    request, client: WebSocketClient(), scenario: scenario, speeches: speeches, options: .init(),
                    on: eventLoop
                ) { report, _ in
                    continuation.resume(returning: report)
                }
            }
        }
    }

    /// The value of a metric of a service; labels are written as in the exposition.
    func metric(_ name: String, of service: String) async -> Double? {
        guard let answer = await LocalCluster.get(cluster.opsURL(service) + "/metrics") else { return nil }
        let line = answer.body.split(separator: "\n").first { $0.hasPrefix(name + " ") || $0.hasPrefix(name + "{") }
        return line.flatMap { $0.split(separator: " ").last }.flatMap { Double($0) }
    }
}

/// What a test waited for in vain.
struct Unfulfilled: Error, CustomStringConvertible {
    let description: String
}

/// Waits until `condition` holds; throws when it does not by a deadline that only a broken service misses.
func eventually(_ what: @autoclosure () -> String, within seconds: Int = 60, _ condition: () async -> Bool) async throws
{
    let end = ContinuousClock.now + .seconds(seconds)
    while !(await condition()) {
        guard ContinuousClock.now < end else { throw Unfulfilled(description: "not within \(seconds) s: \(what())") }
        try await Task.sleep(for: .milliseconds(20))
    }
}

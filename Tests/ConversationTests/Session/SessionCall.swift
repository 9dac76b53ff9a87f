import Audio
import Logging
import NIOCore
import NIOEmbedded
import SessionLog
import Telemetry
import Testing

@testable import Conversation

/// A `VoiceSession` among fakes, on a loop whose clock moves only when a test moves it.
///
/// Unchecked because what is mutable is touched on the loop only.
final class SessionCall: @unchecked Sendable {
    let loop = NIOAsyncTestingEventLoop()
    let trace = Trace()
    let journal: TracedJournal
    let media: FakeMedia
    let ears: FakeRecogniser
    let models: [FakeModel]
    let voices: [FakeVoice]
    let tools = FakeTools()
    let metrics = MetricsRegistry()
    let session: VoiceSession
    private let ended = Ended()

    struct Setup {
        var holdsBack = false
        var models = 1
        var voices = 1
        /// Instead of the fake models, or behind them.
        var lastModel: (any LanguageModel)?
        /// Agents that may take over; they talk through the second model and the second voice.
        var colleagues: [AgentDefinition] = []
        /// The log that another owner has written.
        var log: [Event] = []
        var start = SessionStart(worker: "w", attachment: "a")
    }

    private init(_ agent: AgentDefinition, _ setup: Setup) {
        let trace = trace
        journal = TracedJournal(trace: trace, holdsBack: setup.holdsBack, after: setup.log)
        media = FakeMedia(trace: trace)
        ears = FakeRecogniser(trace: trace)
        models = (0..<setup.models).map { FakeModel("fake/model-\($0)", trace: trace) }
        voices = (0..<setup.voices).map { FakeVoice("fake/voice-\($0)", trace: trace) }
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let registry = metrics
        let environment = SessionEnvironment(
            registry: ProviderRegistry(), variables: { _ in nil }, speechModel: nil, turnModel: nil, tools: tools,
            metrics: { SessionMetrics(registry: registry, tenant: $0) }, logger: logger)
        let chain: [any LanguageModel] = models + (setup.lastModel.map { [$0] } ?? [])
        let isAlone = setup.colleagues.isEmpty
        let providers = SessionProviders(
            speechToText: ears, languageModel: FallbackLanguageModel(isAlone ? chain : [models[0]]),
            textToSpeech: isAlone ? voices : [voices[0]])
        var handOffs: [String: HandOffTarget] = [:]
        for colleague in setup.colleagues {
            let others = SessionProviders(
                speechToText: ears, languageModel: FallbackLanguageModel([models[1]]), textToSpeech: [voices[1]])
            handOffs[colleague.name] = HandOffTarget(agent: colleague, hash: "h-\(colleague.name)", providers: others)
        }
        let ended = ended
        session = VoiceSession(
            identity: .init(session: "s-1", tenant: "acme"), agent: agent, environment: environment,
            providers: providers,
            handOffs: handOffs, state: SessionState(setup.log), journal: journal, port: media, eventLoop: loop, logger: logger
        ) { ended.reasons.append($0) }
    }

    private final class Ended: @unchecked Sendable {
        var reasons: [EndReason] = []
    }

    /// Runs a call that has been started and whose client is not ready yet.
    static func run(
        _ agent: AgentDefinition = .tea, _ setup: Setup = Setup(), _ body: (SessionCall) async throws -> Void
    ) async throws {
        let call = SessionCall(agent, setup)
        try await call.on { [call] session in
            session.start(setup.start)
            let clock = MediaClock(on: call.loop)
            _ = clock.add { now in call.session.assumeIsolated { $0.tick(now) } }
        }
        let result: Result<Void, any Error>
        do { result = .success(try await body(call)) } catch { result = .failure(error) }
        // Ends what is left of it, as a worker does that is told that it lost the session.
        try await call.on { $0.lost() }
        await call.loop.shutdownGracefully()
        try result.get()
    }

    // MARK: Driving

    /// Does something on the loop, and what follows at once.
    @discardableResult
    func on<T: Sendable>(_ body: @escaping @Sendable (isolated VoiceSession) throws -> T) async throws -> T {
        let session = session
        let value = try await loop.executeInContext { try session.assumeIsolated { try body($0) } }
        await loop.run()
        return value
    }

    /// Session time and clock go on.
    func advance(_ milliseconds: Int64) async { await loop.advanceTime(by: .milliseconds(milliseconds)) }

    func receive(_ input: ClientInput) async throws { try await on { $0.receive(input) } }

    /// The client is ready; its greeting is heard to its end.
    func greeted() async throws {
        try await receive(.ready)
        await advance(2_000)
    }

    func startsSpeaking() async throws {
        try await on { session in
            session.handle(.speechStarted(start: session.now))
            session.port.flush()
        }
    }

    func stopsSpeaking() async throws {
        try await on { session in
            session.handle(.speechEnded(end: session.now))
            session.port.flush()
        }
    }

    func hears(interim text: String) async throws { try await hears(.interim(Transcript(text: text))) }
    func hears(final text: String) async throws { try await hears(.final(Transcript(text: text))) }
    func hears(_ event: RecognitionEvent) async throws { try await on { [self] _ in ears.stream?.deliver(event) } }

    /// 600 ms of speech, whose final transcript comes 100 ms after its end.
    func says(_ text: String) async throws {
        try await startsSpeaking()
        await advance(600)
        try await stopsSpeaking()
        await advance(100)
        try await hears(final: text)
    }

    func model(_ event: GenerationEvent, _ index: Int = 0) async throws {
        try await on { [self] _ in models[index].deliver(event) }
    }
    /// The model's whole answer.
    func answers(_ text: String, _ index: Int = 0) async throws {
        try await model(.text(text), index)
        try await model(.finished(.stop, TokenUsage()), index)
    }

    /// The caller's turn and the agent's answer, heard to its end.
    func exchange(_ words: String, _ answer: String) async throws {
        try await says(words)
        await advance(400)
        try await answers(answer)
        await advance(Int64(answer.count) * 63 + 500)
    }

    /// Lets other threads (tools) get on until the trace has a line that begins so.
    func awaits(_ prefix: String) async throws {
        try await until { [trace] in trace.lines.contains { $0.hasPrefix(prefix) } }
    }

    func until(_ condition: @escaping @Sendable () -> Bool) async throws {
        let deadline = ContinuousClock.now + .seconds(20)
        while try await !on({ _ in condition() }) {
            try #require(ContinuousClock.now < deadline, "it did not happen")
            await Task.yield()
        }
    }

    // MARK: Looking

    func lines() async throws -> [String] { try await on { [trace] _ in trace.lines } }
    /// What the log says, in order.
    func log() async throws -> [String] {
        try await lines().filter { $0.hasPrefix("log ") }.map { String($0.dropFirst(4)) }
    }
    /// Lines since a moment.
    func lines(since mark: Int) async throws -> [String] { Array(try await lines().dropFirst(mark)) }
    func mark() async throws -> Int { try await lines().count }
    func requests(_ index: Int = 0) async throws -> [GenerationRequest] {
        try await on { [self] _ in models[index].requests }
    }
    func state() async throws -> SessionState { try await on { $0.state } }
    func endings() async throws -> [EndReason] { try await on { [ended] _ in ended.reasons } }
    func count(_ metric: String) -> Double {
        metrics.value("parley_session_\(metric)_total", labels: ["tenant": "acme"]) ?? 0
    }
}

extension AgentDefinition {
    /// Greets, sells tea, has a tool of each kind, and speculates on nothing.
    static var tea: AgentDefinition {
        var agent = AgentDefinition(
            name: "tea", instructions: "Sell tea.", greeting: .init(say: "Hello there."),
            tools: [
                BuiltInTool.recordLead.configuration, BuiltInTool.endCall.configuration,
                ToolConfiguration(name: "stock", implementation: .http, timeoutMilliseconds: 5_000),
            ])
        agent.turnTaking.speculation = .off
        return agent
    }

    static var speculatingTea: AgentDefinition {
        var agent = tea
        agent.turnTaking.speculation = .speech
        return agent
    }
}

/// The lines appear in this order, others between them.
func expectOrder(_ lines: [String], _ expected: [String], sourceLocation: SourceLocation = #_sourceLocation) {
    var rest = lines[...]
    for line in expected {
        guard let place = rest.firstIndex(where: { $0.hasPrefix(line) }) else {
            Issue.record(
                "'\(line)' is missing, or comes too early, in:\n\(lines.joined(separator: "\n"))",
                sourceLocation: sourceLocation)
            return
        }
        rest = rest[(place + 1)...]
    }
}

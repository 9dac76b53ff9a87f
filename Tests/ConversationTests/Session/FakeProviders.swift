import Audio
import Conversation
import NIOCore
import Synchronization

extension ProviderError {
    static let broken = ProviderError(.connectivity, provider: "fake", message: "the line is cut")
    static let refused = ProviderError(.authentication, provider: "fake", message: "the key is wrong")
}

/// A recogniser that hears what the test says. Like all fakes here confined to the loop of its session.
final class FakeRecogniser: SpeechToText, @unchecked Sendable {
    let name = "fake/ears"
    /// New streams fail at once with this.
    var failure: ProviderError?
    private(set) var stream: FakeRecognition?
    private(set) var opened = 0
    private let trace: Trace

    init(trace: Trace) { self.trace = trace }

    func open(
        _ request: RecognitionRequest, on eventLoop: any EventLoop,
        events: @escaping @Sendable (RecognitionEvent) -> Void
    ) -> any RecognitionStream {
        opened += 1
        trace.add("stt open")
        let stream = FakeRecognition(trace: trace, hint: request.hint, events: events)
        self.stream = stream
        let bound = NIOLoopBound(stream, eventLoop: eventLoop)
        let failure = failure
        eventLoop.execute { bound.value.deliver(failure.map { .failed($0) } ?? .ready) }
        return stream
    }
}

final class FakeRecognition: RecognitionStream {
    private(set) var samples = 0
    private(set) var hint: RecognitionHint?
    private var isOpen = true
    private let trace: Trace
    private let events: @Sendable (RecognitionEvent) -> Void

    init(trace: Trace, hint: RecognitionHint?, events: @escaping @Sendable (RecognitionEvent) -> Void) {
        self.trace = trace
        self.hint = hint
        self.events = events
    }

    func deliver(_ event: RecognitionEvent) {
        guard isOpen else { return }
        if case .failed = event { isOpen = false }
        events(event)
    }

    func send(_ samples: Span<Int16>) { self.samples += samples.count }
    func finalize() {}
    func expect(_ hint: RecognitionHint?) { self.hint = hint }
    func close() {
        isOpen = false
        trace.add("stt close")
    }
}

/// A model that writes what the test says.
final class FakeModel: LanguageModel, @unchecked Sendable {
    let name: String
    /// Generations fail at once with this.
    var failure: ProviderError?
    private(set) var requests: [GenerationRequest] = []
    private var generation: FakeGeneration?
    private let trace: Trace

    init(_ name: String, trace: Trace) {
        self.name = name
        self.trace = trace
    }

    func generate(
        _ request: GenerationRequest, on eventLoop: any EventLoop, events: @escaping @Sendable (GenerationEvent) -> Void
    ) -> any Generation {
        requests.append(request)
        trace.add("llm request \(requests.count)")
        let generation = FakeGeneration(number: requests.count, trace: trace, events: events)
        self.generation = generation
        let bound = NIOLoopBound(generation, eventLoop: eventLoop)
        let failure = failure
        eventLoop.execute { bound.value.deliver(failure.map { .failed($0) } ?? .requested) }
        return generation
    }

    func deliver(_ event: GenerationEvent) { generation?.deliver(event) }
}

final class FakeGeneration: Generation {
    private let number: Int
    private let trace: Trace
    private let events: @Sendable (GenerationEvent) -> Void
    private var isOpen = true

    init(number: Int, trace: Trace, events: @escaping @Sendable (GenerationEvent) -> Void) {
        self.number = number
        self.trace = trace
        self.events = events
    }

    func deliver(_ event: GenerationEvent) {
        guard isOpen else { return }
        switch event {
        case .finished, .failed: isOpen = false
        case .requested, .text, .toolCall, .flow: break
        }
        events(event)
    }

    func cancel() {
        guard isOpen else { return }
        isOpen = false
        trace.add("llm cancel \(number)")
    }
}

/// A voice that speaks 16 characters a second, at once and whole; or fails.
final class FakeVoice: TextToSpeech, @unchecked Sendable {
    static let samplesPerCharacter = 1_000

    let name: String
    /// Sentences fail with this.
    var failure: (error: ProviderError, terminal: Bool)?
    /// Sentences that contain this fail.
    var unspeakable = ""
    /// Nothing is delivered.
    var isStuck = false
    private(set) var requests: [SynthesisRequest] = []
    private let trace: Trace

    init(_ name: String, trace: Trace) {
        self.name = name
        self.trace = trace
    }

    func open(
        _ request: SynthesisRequest, on eventLoop: any EventLoop, events: @escaping @Sendable (SynthesisEvent) -> Void
    ) -> any SynthesisStream {
        requests.append(request)
        return FakeSynthesis(voice: self, trace: trace, eventLoop: eventLoop, events: events)
    }
}

final class FakeSynthesis: SynthesisStream {
    private let voice: FakeVoice
    private let trace: Trace
    private let eventLoop: any EventLoop
    private let events: @Sendable (SynthesisEvent) -> Void
    private var isOpen = true
    private var cancelled: Set<UInt32> = []

    init(voice: FakeVoice, trace: Trace, eventLoop: any EventLoop, events: @escaping @Sendable (SynthesisEvent) -> Void)
    {
        self.voice = voice
        self.trace = trace
        self.eventLoop = eventLoop
        self.events = events
    }

    func speak(_ text: String, as sentence: SentenceID, last: Bool) {
        trace.add("tts \(voice.name) \(sentence) \(text)")
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        eventLoop.execute { bound.value.deliver(text, sentence) }
    }

    private func deliver(_ text: String, _ sentence: SentenceID) {
        guard isOpen, !cancelled.contains(sentence.reply), !voice.isStuck else { return }
        if let failure = voice.failure {
            if failure.terminal { isOpen = false }
            return events(.failed(sentence, failure.error, terminal: failure.terminal))
        }
        if !voice.unspeakable.isEmpty, text.contains(voice.unspeakable) {
            return events(.failed(sentence, .refused, terminal: false))
        }
        events(.requested(sentence))
        events(.audio(sentence, Array(repeating: 1, count: text.count * FakeVoice.samplesPerCharacter)))
        events(.finished(sentence, characters: text.count))
    }

    func cancel(reply: UInt32) {
        cancelled.insert(reply)
        trace.add("tts cancel \(reply)")
    }
    func close() { isOpen = false }
}

/// Tools that answer when the test says.
final class FakeTools: ToolRunning {
    private struct State {
        var running: [String: CheckedContinuation<ToolOutcomeReport, Never>] = [:]
        var answers: [String: ToolOutcomeReport] = [:]
        var keys: [String: String] = [:]
    }
    private let state = Mutex(State())

    /// Idempotency keys of the calls that have begun, by call.
    var keys: [String: String] { state.withLock { $0.keys } }

    func run(_ call: ToolCall, configuration: ToolConfiguration, session: String, idempotencyKey: String) async
        -> ToolOutcomeReport
    {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let answer = state.withLock { state -> ToolOutcomeReport? in
                    state.keys[call.id] = idempotencyKey
                    guard let answer = state.answers.removeValue(forKey: call.id) else {
                        state.running[call.id] = continuation
                        return nil
                    }
                    return answer
                }
                if let answer { continuation.resume(returning: answer) }
            }
        } onCancel: {
            answer(call.id, .init(.cancelled, content: "cancelled"))
        }
    }

    func answer(_ call: String, _ report: ToolOutcomeReport) {
        let waiting = state.withLock { state in
            let waiting = state.running.removeValue(forKey: call)
            if waiting == nil { state.answers[call] = report }
            return waiting
        }
        waiting?.resume(returning: report)
    }
}

import Conversation
import NIOCore
import ProviderSimulator
import Synchronization

@testable import AnthropicProvider
@testable import CartesiaProvider
@testable import DeepgramProvider
@testable import ElevenLabsProvider
@testable import OpenAIProvider

extension ProviderSimulator {
    /// A configuration that aims `name` here.
    func configuration(_ name: String, options: [String: String] = [:], key: String? = nil) -> ProviderConfiguration {
        var environment = environment
        if let key {
            for variable in environment.keys where variable.hasSuffix("_API_KEY") { environment[variable] = key }
        }
        let fixed = environment
        return ProviderConfiguration(name, options: options) { fixed[$0] }
    }
}

/// Every vendor's registration.
func makeRegistry() -> ProviderRegistry {
    var registry = ProviderRegistry()
    registerDeepgram(in: &registry)
    registerOpenAI(in: &registry)
    registerAnthropic(in: &registry)
    registerElevenLabs(in: &registry)
    registerCartesia(in: &registry)
    return registry
}

/// Events in their order, with a place on the loop for what makes them.
final class EventLog<Event: Sendable>: Sendable {
    private let added = Atomic(0)
    private let stream: AsyncStream<Event>
    private let continuation: AsyncStream<Event>.Continuation

    init() { (stream, continuation) = AsyncStream.makeStream() }

    /// Events so far, collected or not.
    var count: Int { added.load(ordering: .relaxed) }

    func add(_ event: Event) {
        added.add(1, ordering: .relaxed)
        continuation.yield(event)
    }

    /// All events up to the first that `isLast` says.
    func collect(until isLast: (Event) -> Bool) async -> [Event] {
        var events: [Event] = []
        for await event in stream {
            events.append(event)
            if isLast(event) { break }
        }
        return events
    }
}

/// Keeps something that belongs to the loop alive while a test awaits.
final class OnLoop<Value>: Sendable {
    private let box: NIOLoopBoundBox<Value?>

    init() { box = .makeEmptyBox(valueType: Value.self, eventLoop: loop) }

    @discardableResult
    func run<Result: Sendable>(_ body: @escaping @Sendable (inout Value?) -> Result) async throws -> Result {
        try await loop.submit { body(&self.box.value) }.get()
    }
}

package import Conversation
package import NIOCore

/// `scripted`: drives the agent's flow without a model. Used where there is none, and as the last of a chain when all are down.
package struct ScriptedLanguageModel: LanguageModel {
    package init() {}

    package var name: String { "scripted" }

    package func generate(
        _ request: GenerationRequest, on eventLoop: any EventLoop, events: @escaping @Sendable (GenerationEvent) -> Void
    ) -> any Generation {
        let generation = ScriptedGeneration()
        let bound = NIOLoopBound(generation, eventLoop: eventLoop)
        eventLoop.execute {
            for event in Self.events(for: request) where !bound.value.isCancelled { events(event) }
        }
        return generation
    }

    private static func events(for request: GenerationRequest) -> [GenerationEvent] {
        guard let flow = request.flow else {
            let error = ProviderError(.invalidRequest, provider: "scripted", message: "the agent has no 'flow' to follow")
            return [.failed(error)]
        }
        let (step, text) = ScriptedFlow(flow.definition).next(
            flow.position, after: flow.isOpening ? nil : request.context.lastUserText)
        return [.requested, .flow(step), .text(text), .finished(.stop, TokenUsage())]
    }
}

/// Confined to its event loop.
private final class ScriptedGeneration: Generation {
    private(set) var isCancelled = false
    func cancel() { isCancelled = true }
}

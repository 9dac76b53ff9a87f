package import NIOCore

/// A chain of language models: the next one is asked when one fails before its first token. The chain usually ends in the scripted
/// flow, so that a caller hears an answer even when every vendor is down.
package struct FallbackLanguageModel: Sendable {
    package let models: [any LanguageModel]

    package init(_ models: [any LanguageModel]) { self.models = models }

    /// Like `LanguageModel.generate`; `chosen` tells which model is asked, before its first event and from inside this call for the
    /// first one; `passedOver` why the next one is.
    package func generate(
        _ request: GenerationRequest, on eventLoop: any EventLoop, chosen: @escaping @Sendable (String) -> Void,
        passedOver: @escaping @Sendable (ProviderError) -> Void, events: @escaping @Sendable (GenerationEvent) -> Void
    ) -> any Generation {
        let generation = FallbackGeneration(
            models: models, request: request, eventLoop: eventLoop, chosen: chosen, passedOver: passedOver, events: events)
        generation.start()
        return generation
    }
}

/// One generation over the chain. Confined to its event loop.
private final class FallbackGeneration: Generation {
    private let models: [any LanguageModel]
    private let request: GenerationRequest
    private let eventLoop: any EventLoop
    private let chosen: @Sendable (String) -> Void
    private let passedOver: @Sendable (ProviderError) -> Void
    private let events: @Sendable (GenerationEvent) -> Void
    private var current: (any Generation)?
    private var index = 0
    private var hasOutput = false
    private var cancelled = false

    init(
        models: [any LanguageModel], request: GenerationRequest, eventLoop: any EventLoop, chosen: @escaping @Sendable (String) -> Void,
        passedOver: @escaping @Sendable (ProviderError) -> Void, events: @escaping @Sendable (GenerationEvent) -> Void
    ) {
        self.models = models
        self.request = request
        self.eventLoop = eventLoop
        self.chosen = chosen
        self.passedOver = passedOver
        self.events = events
    }

    func start() {
        let model = models[index]
        let attempt = index
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        chosen(model.name)
        current = model.generate(request, on: eventLoop) { event in bound.value.received(event, from: attempt) }
    }

    func cancel() {
        cancelled = true
        current?.cancel()
        current = nil
    }

    /// A speculation that gets no quota is not worth a lesser model: the answer itself may still get the better one.
    private func isForegone(_ error: ProviderError) -> Bool { request.isSpeculative && error.category == .rateLimited }

    private func received(_ event: GenerationEvent, from attempt: Int) {
        guard !cancelled, attempt == index else { return }
        switch event {
        case .failed(let error) where !hasOutput && index + 1 < models.count && !isForegone(error):
            index += 1
            passedOver(error)
            start()
        case .text, .toolCall, .flow:
            hasOutput = true
            events(event)
        case .requested, .finished, .failed:
            events(event)
        }
    }
}

package import Conversation
package import NIOCore
import RateLimits

/// A voice each of whose sentences takes one of its account's places while it is in synthesis.
package struct LimitedTextToSpeech: TextToSpeech {
    private let voice: any TextToSpeech
    private let vendor: String
    private let contexts: Int
    private let quota: ProviderQuota

    package init(_ voice: any TextToSpeech, vendor: String, contexts: Int, quota: ProviderQuota) {
        self.voice = voice
        self.vendor = vendor
        self.contexts = contexts
        self.quota = quota
    }

    package var name: String { voice.name }

    package func open(
        _ request: SynthesisRequest, on eventLoop: any EventLoop,
        events: @escaping @Sendable (SynthesisEvent) -> Void
    ) -> any SynthesisStream {
        let (quota, vendor, contexts) = (quota, vendor, contexts)
        return LimitedSynthesis(voice, request, eventLoop, events) { () async throws(LimitRefusal) -> Lease in
            // Sentences are in synthesis for a second or less: a place is soon free, and a short pause is better than another voice.
            for _ in 0..<4 {
                do {
                    return try await quota.place("sentences in synthesis", vendor: vendor, maximum: contexts)
                } catch {
                    try? await Task.sleep(for: .milliseconds(100))
                }
            }
            return try await quota.place("sentences in synthesis", vendor: vendor, maximum: contexts)
        }
    }
}

/// One voice, which passes sentences on in their order, each when its place is there. Confined to its event loop.
private final class LimitedSynthesis: SynthesisStream {
    private struct Sentence {
        let text: String
        let id: SentenceID
        let last: Bool
    }

    private let eventLoop: any EventLoop
    private let events: @Sendable (SynthesisEvent) -> Void
    private let provider: String
    private let place: @Sendable () async throws(LimitRefusal) -> Lease
    private var voice: (any SynthesisStream)?
    private var waiting: [Sentence] = []
    private var isClaiming = false
    private var places: [SentenceID: Lease] = [:]

    init(
        _ voice: any TextToSpeech, _ request: SynthesisRequest, _ eventLoop: any EventLoop,
        _ events: @escaping @Sendable (SynthesisEvent) -> Void,
        place: @escaping @Sendable () async throws(LimitRefusal) -> Lease
    ) {
        self.eventLoop = eventLoop
        self.events = events
        self.place = place
        provider = voice.name
        let bound = NIOLoopBoundBox<LimitedSynthesis?>(nil, eventLoop: eventLoop)
        self.voice = voice.open(request, on: eventLoop) { event in bound.value?.received(event) }
        bound.value = self
        self.bound = bound
    }

    /// The voice's events find us through it; emptied at the end, since each keeps the other.
    private var bound: NIOLoopBoundBox<LimitedSynthesis?>?

    func speak(_ text: String, as sentence: SentenceID, last: Bool) {
        waiting.append(Sentence(text: text, id: sentence, last: last))
        claim()
    }

    func cancel(reply: UInt32) {
        waiting.removeAll { $0.id.reply == reply }
        places = places.filter { $0.key.reply != reply }
        voice?.cancel(reply: reply)
    }

    func close() {
        voice?.close()
        end()
    }

    private func end() {
        voice = nil
        waiting = []
        places = [:]
        bound?.value = nil
    }

    private func claim() {
        guard !isClaiming, voice != nil, let next = waiting.first else { return }
        isClaiming = true
        let this = NIOLoopBound(self, eventLoop: eventLoop)
        let (place, eventLoop, id) = (place, eventLoop, next.id)
        // The voice lives on its event loop; the place comes from Redis, and comes back in one hop.
        Task {
            let result: Result<Lease, LimitRefusal>
            do throws(LimitRefusal) { result = .success(try await place()) } catch { result = .failure(error) }
            eventLoop.execute { this.value.claimed(result, for: id) }
        }
    }

    private func claimed(_ result: Result<Lease, LimitRefusal>, for id: SentenceID) {
        isClaiming = false
        // Who was cancelled meanwhile needs no place.
        if voice != nil, waiting.first?.id == id {
            let sentence = waiting.removeFirst()
            switch result {
            case .success(let lease):
                places[id] = lease
                voice?.speak(sentence.text, as: id, last: sentence.last)
            case .failure(let refusal):
                events(.failed(id, ProviderError(refusal, provider: provider), terminal: false))
            }
        }
        claim()
    }

    private func received(_ event: SynthesisEvent) {
        guard voice != nil else { return }
        switch event {
        case .finished(let id, _): places[id] = nil
        case .failed(let id, _, let terminal):
            if let id { places[id] = nil }
            if terminal { end() }
        case .requested, .audio, .marks: break
        }
        events(event)
    }
}

package import Conversation
package import NIOCore
import RateLimits

/// A recogniser whose streams take one of its account's places first.
package struct LimitedSpeechToText: SpeechToText {
    private let recogniser: any SpeechToText
    private let vendor: String
    private let streams: Int
    private let quota: ProviderQuota

    package init(_ recogniser: any SpeechToText, vendor: String, streams: Int, quota: ProviderQuota) {
        self.recogniser = recogniser
        self.vendor = vendor
        self.streams = streams
        self.quota = quota
    }

    package var name: String { recogniser.name }

    package func open(
        _ request: RecognitionRequest, on eventLoop: any EventLoop,
        events: @escaping @Sendable (RecognitionEvent) -> Void
    ) -> any RecognitionStream {
        let stream = LimitedRecognition(recogniser, request, eventLoop, events)
        let bound = NIOLoopBound(stream, eventLoop: eventLoop)
        let (quota, vendor, streams) = (quota, vendor, streams)
        // The stream lives on its event loop; its place comes from Redis, and comes back in one hop.
        Task {
            let result: Result<Lease, LimitRefusal>
            do throws(LimitRefusal) {
                result = .success(try await quota.place("recognition streams", vendor: vendor, maximum: streams))
            } catch { result = .failure(error) }
            eventLoop.execute { bound.value.claimed(result) }
        }
        return stream
    }
}

/// One stream, which is opened when its place is there. Confined to its event loop.
private final class LimitedRecognition: RecognitionStream {
    private enum State {
        /// What was heard meanwhile, for as long as it takes to ask Redis, and whether the caller has stopped speaking in it.
        case claiming([Int16], isFinal: Bool)
        case running(any RecognitionStream, Lease)
        case ended
    }

    /// 10 s at 16 kHz: what recognisers keep themselves.
    private static let maximumSamples = 160_000

    private let recogniser: any SpeechToText
    private var request: RecognitionRequest
    private let eventLoop: any EventLoop
    private let events: @Sendable (RecognitionEvent) -> Void
    private var state = State.claiming([], isFinal: false)

    init(
        _ recogniser: any SpeechToText, _ request: RecognitionRequest, _ eventLoop: any EventLoop,
        _ events: @escaping @Sendable (RecognitionEvent) -> Void
    ) {
        self.recogniser = recogniser
        self.request = request
        self.eventLoop = eventLoop
        self.events = events
    }

    func send(_ samples: Span<Int16>) {
        switch state {
        case .claiming(var kept, let isFinal):
            state = .ended  // so that the samples are not shared while they grow
            kept.reserveCapacity(kept.count + samples.count)
            for index in samples.indices { kept.append(samples[index]) }
            if kept.count > Self.maximumSamples { kept.removeFirst(kept.count - Self.maximumSamples) }
            state = .claiming(kept, isFinal: isFinal)
        case .running(let stream, _): stream.send(samples)
        case .ended: break
        }
    }

    func finalize() {
        switch state {
        case .claiming(let kept, _): state = .claiming(kept, isFinal: true)
        case .running(let stream, _): stream.finalize()
        case .ended: break
        }
    }

    func expect(_ hint: RecognitionHint?) {
        request.hint = hint
        if case .running(let stream, _) = state { stream.expect(hint) }
    }

    func close() {
        if case .running(let stream, _) = state { stream.close() }
        state = .ended
    }

    func claimed(_ result: Result<Lease, LimitRefusal>) {
        guard case .claiming(let kept, let isFinal) = state else { return }
        switch result {
        case .success(let lease):
            let bound = NIOLoopBound(self, eventLoop: eventLoop)
            let stream = recogniser.open(request, on: eventLoop) { event in bound.value.received(event) }
            state = .running(stream, lease)
            if !kept.isEmpty { stream.send(kept.span) }
            if isFinal { stream.finalize() }
        case .failure(let refusal):
            state = .ended
            events(.failed(ProviderError(refusal, provider: recogniser.name)))
        }
    }

    private func received(_ event: RecognitionEvent) {
        guard case .running = state else { return }
        if case .failed = event { state = .ended }
        events(event)
    }
}

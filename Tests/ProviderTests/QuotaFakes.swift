import Conversation
import NIOCore
import RateLimits
import Synchronization

/// Providers that do what a test says and remember what they were asked. Confined to `loop`, as everything here.
final class QuietProvider: SpeechToText, LanguageModel, TextToSpeech, @unchecked Sendable {
    let name: String
    private(set) var streams: [QuietStream] = []
    var generations: [QuietStream] { streams }

    init(_ name: String) { self.name = name }

    func open(
        _ request: RecognitionRequest, on eventLoop: any EventLoop,
        events: @escaping @Sendable (RecognitionEvent) -> Void
    ) -> any RecognitionStream {
        let stream = QuietStream()
        stream.recognised = events
        streams.append(stream)
        return stream
    }

    func generate(
        _ request: GenerationRequest, on eventLoop: any EventLoop, events: @escaping @Sendable (GenerationEvent) -> Void
    ) -> any Generation {
        let stream = QuietStream()
        stream.generated = events
        streams.append(stream)
        return stream
    }

    func open(
        _ request: SynthesisRequest, on eventLoop: any EventLoop, events: @escaping @Sendable (SynthesisEvent) -> Void
    ) -> any SynthesisStream {
        let stream = QuietStream()
        stream.synthesised = events
        streams.append(stream)
        return stream
    }
}

/// What a fake provider has opened: remembers calls, and says what the test makes it say.
final class QuietStream: RecognitionStream, Generation, SynthesisStream {
    var recognised: (@Sendable (RecognitionEvent) -> Void)?
    var generated: (@Sendable (GenerationEvent) -> Void)?
    var synthesised: (@Sendable (SynthesisEvent) -> Void)?
    private(set) var calls: [String] = []
    private(set) var samples: [Int16] = []

    func send(_ samples: Span<Int16>) { for index in samples.indices { self.samples.append(samples[index]) } }
    func finalize() { calls.append("finalize") }
    func expect(_ hint: RecognitionHint?) { calls.append("expect \(hint?.grammar ?? "nothing")") }
    func close() { calls.append("close") }
    func cancel() { calls.append("cancel") }
    func speak(_ text: String, as sentence: SentenceID, last: Bool) { calls.append("\(sentence) \(text)") }
    func cancel(reply: UInt32) { calls.append("cancel \(reply)") }
}

/// Limits in memory, without refill: what Redis would do within a test. Slow to answer when the test holds it.
final class CountingLimits: LimitStore {
    private struct State {
        var taken: [String: Double] = [:]
        var held: [String: Set<String>] = [:]
        var isAway = false
    }
    struct Away: Error {}
    private let state = Mutex(State())

    var taken: [String: Double] { state.withLock { $0.taken } }
    var held: Int { state.withLock { $0.held.values.reduce(0) { $0 + $1.count } } }
    func goAway() { state.withLock { $0.isAway = true } }

    private func answer<Answer>(_ body: (inout State) -> Answer) throws -> Answer {
        try state.withLock { state in
            if state.isAway { throw Away() }
            return body(&state)
        }
    }

    func take(_ buckets: [BucketRequest]) async throws -> LimitRefusal? {
        try answer { state in
            for bucket in buckets
            where (state.taken[bucket.what] ?? 0) + bucket.count > bucket.limit.burst - bucket.reserve {
                return LimitRefusal(bucket, retryAfter: .seconds(2))
            }
            for bucket in buckets { state.taken[bucket.what, default: 0] += bucket.count }
            return nil
        }
    }

    func charge(_ buckets: [BucketRequest]) async throws {
        try answer { state in
            for bucket in buckets { state.taken[bucket.what, default: 0] += bucket.count }
        }
    }

    func acquire(_ member: String, _ leases: [LeaseRequest]) async throws -> LimitRefusal? {
        try answer { state in
            for lease in leases where (state.held[lease.what]?.count ?? 0) >= lease.maximum - lease.reserve {
                return LimitRefusal(lease)
            }
            for lease in leases { state.held[lease.what, default: []].insert(member) }
            return nil
        }
    }

    func renew(_ leases: [HeldLease]) async throws {}

    func release(_ leases: [HeldLease]) async throws {
        try answer { state in
            for lease in leases { state.held[lease.what]?.remove(lease.member) }
        }
    }

    func isHeld(_ lease: HeldLease) async throws -> Bool { false }
}

import Synchronization

/// A bounded set of decoders, made when first needed (each holds some 60 MB). Whoever finds none free waits in order.
final class SphinxDecoderPool: Sendable {
    typealias Grant = @Sendable (Result<SphinxDecoder, LocalSpeechError>) -> Void

    private struct State {
        var free: [SphinxDecoder] = []
        var made = 0
        var waiting: [(id: UInt64, grant: Grant)] = []
        var nextID: UInt64 = 0
    }

    private let models: String
    private let limit: Int
    private let state = Mutex(State())

    init(models: String, limit: Int) {
        self.models = models
        self.limit = max(1, limit)
    }

    /// Calls `grant` with a decoder, at once or when one is free. Making one blocks for some 100 ms: call it on the pool's threads.
    func acquire(_ grant: @escaping Grant) {
        enum Outcome { case decoder(SphinxDecoder), make, wait }
        let outcome: Outcome = state.withLock { state in
            if let decoder = state.free.popLast() { return .decoder(decoder) }
            if state.made < limit {
                state.made += 1
                return .make
            }
            state.waiting.append((state.nextID, grant))
            state.nextID += 1
            return .wait
        }
        switch outcome {
        case .decoder(let decoder): grant(.success(decoder))
        case .wait: break
        case .make:
            do throws(LocalSpeechError) {
                grant(.success(try SphinxDecoder(models: models)))
            } catch {
                state.withLock { $0.made -= 1 }
                grant(.failure(error))
            }
        }
    }

    func release(_ decoder: SphinxDecoder) {
        let next = state.withLock { state -> Grant? in
            guard !state.waiting.isEmpty else {
                state.free.append(decoder)
                return nil
            }
            return state.waiting.removeFirst().grant
        }
        next?(.success(decoder))
    }
}

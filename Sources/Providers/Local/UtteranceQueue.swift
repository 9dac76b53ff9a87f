import Audio
import Synchronization

/// Decodes the utterances of one stream in order, on the pool. An utterance waits for a decoder with its audio kept (15 s at most,
/// then the rest of it is dropped).
final class UtteranceQueue: Sendable {
    enum Event: Sendable {
        case interim(String)
        case final(String, start: SessionTime, end: SessionTime)
        case failed(LocalSpeechError)
    }

    private enum Piece: Sendable {
        case begin(grammar: String?, @Sendable (Event) -> Void)
        case audio([Int16])
        case end(start: SessionTime, end: SessionTime)
    }

    /// 15 s of audio in pieces of 100 ms.
    private static let maximumWaiting = 150

    private struct State {
        var waiting: [Piece] = []
        var decoder: SphinxDecoder?
        var isAcquiring = false
        var deliver: (@Sendable (Event) -> Void)?
        var lastInterim = ""
        var isAbandoned = false
    }

    private let work: SerialWork
    private let decoders: SphinxDecoderPool
    private let state = Mutex(State())

    init(pool: LocalSpeechPool, decoders: SphinxDecoderPool) {
        work = SerialWork(on: pool)
        self.decoders = decoders
    }

    func begin(grammar: String?, _ deliver: @escaping @Sendable (Event) -> Void) { enqueue(.begin(grammar: grammar, deliver)) }
    func append(_ samples: [Int16]) { enqueue(.audio(samples)) }
    func end(start: SessionTime, end: SessionTime) { enqueue(.end(start: start, end: end)) }

    /// Nothing is delivered any more; the decoder goes back.
    func abandon() {
        state.withLock { state in
            state.isAbandoned = true
            state.waiting = []
            state.deliver = nil
        }
        work.submit { [self] in release(endUtterance: true) }
    }

    private func enqueue(_ piece: Piece) {
        let isAccepted = state.withLock { state in
            if state.isAbandoned { return false }
            if case .audio = piece, state.waiting.count >= Self.maximumWaiting { return false }
            state.waiting.append(piece)
            return true
        }
        if isAccepted { work.submit { [self] in step() } }
    }

    /// Handles what waits, as far as a decoder is there.
    private func step() {
        while let piece = nextPiece() {
            switch piece {
            case .begin(let grammar, let deliver): begin(grammar, deliver)
            case .audio(let samples): decode(samples)
            case .end(let start, let end): finish(start, end)
            }
        }
    }

    private func nextPiece() -> Piece? {
        state.withLock { state in
            guard !state.isAcquiring, !state.waiting.isEmpty else { return nil }
            return state.waiting.removeFirst()
        }
    }

    private func begin(_ grammar: String?, _ deliver: @escaping @Sendable (Event) -> Void) {
        state.withLock { state in
            state.deliver = deliver
            state.isAcquiring = true
            state.lastInterim = ""
        }
        decoders.acquire { [self] result in
            do throws(LocalSpeechError) {
                let decoder = try result.get()
                let isWanted = state.withLock { state in
                    state.isAcquiring = false
                    if !state.isAbandoned { state.decoder = decoder }
                    return !state.isAbandoned
                }
                guard isWanted else { return decoders.release(decoder) }
                try decoder.begin(grammar: grammar)
            } catch {
                state.withLock { $0.isAcquiring = false }
                deliver(.failed(error))
            }
            work.submit { [self] in step() }
        }
    }

    private func decode(_ samples: [Int16]) {
        guard let decoder = state.withLock({ $0.decoder }) else { return }
        let text = decoder.process(samples)
        let deliver = state.withLock { state -> (@Sendable (Event) -> Void)? in
            guard !text.isEmpty, text != state.lastInterim else { return nil }
            state.lastInterim = text
            return state.deliver
        }
        deliver?(.interim(text))
    }

    private func finish(_ start: SessionTime, _ end: SessionTime) {
        guard let decoder = state.withLock({ $0.decoder }) else { return }
        let text = decoder.end()
        let deliver = state.withLock { $0.deliver }
        release(endUtterance: false)
        deliver?(.final(text, start: start, end: end))
    }

    private func release(endUtterance: Bool) {
        let decoder = state.withLock { state in
            defer { state.decoder = nil }
            return state.decoder
        }
        guard let decoder else { return }
        if endUtterance { _ = decoder.end() }
        decoders.release(decoder)
    }
}

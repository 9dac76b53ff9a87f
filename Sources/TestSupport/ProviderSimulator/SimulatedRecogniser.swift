/// Hears speech by its energy and says what the script says; no I/O, time is counted in samples.
struct SimulatedRecogniser {
    enum Output: Equatable {
        case speechStarted(at: Int)
        /// Words recognised so far; positions in samples.
        case interim([String], start: Int, end: Int)
        /// `finalize`: forced by the client.
        case final([String], start: Int, end: Int, forced: Bool)
    }

    private struct Utterance {
        var words: [String]
        /// Samples, from the script.
        var length: Int?
        var start: Int
        var lastLoud: Int
        var nextInterim: Int
        /// Samples of silence after which the final is due.
        var patience: Int
        /// Words that a forced final has already delivered.
        var delivered = 0
    }

    /// Loud frames in a row that make speech: a click is not speech.
    private static let onsetFrames = 3

    private let behaviour: RecognitionBehaviour
    private let rate: Int
    private let frame: Int
    private let wantsInterims: Bool
    private var position = 0
    private var frameSum = 0
    private var frameFill = 0
    private var loudFrames = 0
    private var utterance: Utterance?

    init(_ behaviour: RecognitionBehaviour, rate: Int, interims: Bool) {
        self.behaviour = behaviour
        self.rate = rate
        wantsInterims = interims
        frame = max(1, rate / 100)
    }

    /// Samples heard so far.
    var heard: Int { position }

    /// `next` yields the script's next utterance and the milliseconds its final takes.
    mutating func hear(
        _ samples: some Sequence<Int16>, next: () -> (ScriptedUtterance, finalMilliseconds: Double),
        _ emit: (Output) -> Void
    ) {
        for sample in samples {
            frameSum += abs(Int(sample))
            frameFill += 1
            guard frameFill == frame else { continue }
            position += frame
            let loud = frameSum > behaviour.threshold * frame
            frameSum = 0
            frameFill = 0
            step(loud, next, emit)
        }
    }

    /// The client wants what there is; false when there is nothing.
    mutating func finalize(_ emit: (Output) -> Void) -> Bool {
        guard var current = utterance else { return false }
        let silent = position > current.lastLoud
        let complete = silent || current.length.map { position - current.start >= $0 } ?? false
        let known = complete ? current.words.count : min(current.words.count, recognised(current))
        emit(
            .final(
                Array(current.words[current.delivered..<known]), start: current.start, end: current.lastLoud,
                forced: true))
        current.delivered = known
        utterance = complete || known == current.words.count ? nil : current
        return true
    }

    private mutating func step(
        _ loud: Bool, _ next: () -> (ScriptedUtterance, finalMilliseconds: Double), _ emit: (Output) -> Void
    ) {
        loudFrames = loud ? loudFrames + 1 : 0
        guard var current = utterance else {
            if loudFrames == Self.onsetFrames { begin(next(), emit) }
            return
        }
        if loud {
            current.lastLoud = position
            if wantsInterims, position >= current.nextInterim {
                current.nextInterim += behaviour.interimEvery * rate / 1_000
                let count = max(current.delivered + 1, min(recognised(current), current.words.count))
                if count <= current.words.count {
                    emit(.interim(Array(current.words[current.delivered..<count]), start: current.start, end: position))
                }
            }
            utterance = current
            return
        }
        // A pause is not the end while the script says that the caller still speaks (with 150 ms to spare).
        let isEarly = current.length.map { position - current.start < $0 - rate * 150 / 1_000 } ?? false
        guard position - current.lastLoud >= current.patience, !isEarly else { return }
        emit(
            .final(
                Array(current.words[current.delivered...]), start: current.start, end: current.lastLoud, forced: false))
        utterance = nil
    }

    private mutating func begin(
        _ scripted: (ScriptedUtterance, finalMilliseconds: Double), _ emit: (Output) -> Void
    ) {
        let start = position - Self.onsetFrames * frame
        utterance = Utterance(
            words: scripted.0.text.split(separator: " ").map(String.init),
            length: scripted.0.speechMilliseconds.map { $0 * rate / 1_000 }, start: start, lastLoud: position,
            nextInterim: start + behaviour.interimEvery * rate / 1_000,
            patience: Int(scripted.finalMilliseconds * Double(rate) / 1_000))
        emit(.speechStarted(at: start))
    }

    private func recognised(_ utterance: Utterance) -> Int {
        let perWord =
            utterance.length.map { max(1, $0 / max(1, utterance.words.count)) } ?? behaviour.wordEvery * rate / 1_000
        return (position - utterance.start) / max(1, perWord)
    }
}

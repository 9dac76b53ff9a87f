import CallerSimulator

/// How long callers felt the faults. Pure; times in milliseconds.
struct ChaosRecovery {
    /// One line of the table.
    struct Line: Sendable, Hashable {
        var kind: ChaosFault.Kind
        var count = 0
        /// Calls that felt it, counted at each incident.
        var calls = 0
        var recoveries: [Double] = []
        /// Pauses inside the agent's speech of more than 300 ms.
        var gaps: [Double] = []
        /// From the end of what was said around the fault to its answer.
        var answers: [Double] = []
        /// From the end of the turn that was in progress until the call had left its worker; of drained workers.
        var departures: [Double] = []
    }

    /// Nanoseconds after an incident in which its consequences are looked for.
    private static let reach: Int64 = 6_000_000_000
    /// What was in a socket when its process died may still come.
    private static let late: Int64 = 30_000_000
    static let longestGap = 300.0

    let evidence: ChaosEvidence
    let book: ConversationBook

    func lines() -> [Line] {
        var lines: [ChaosFault.Kind: Line] = [:]
        for incident in evidence.incidents {
            let kind = incident.fault.kind
            var line = lines[kind] ?? Line(kind: kind)
            line.count += 1
            for call in evidence.calls
            where call.connectedAt.map({ $0 < incident.from && incident.from < call.endedAt }) ?? false {
                add(call, incident, &line)
            }
            lines[kind] = line
        }
        return ChaosFault.Kind.allCases.compactMap { lines[$0] }
    }

    private func add(_ call: CallRecord, _ incident: ChaosIncident, _ line: inout Line) {
        let end = incident.to + Self.reach
        let pauses = Self.pauses(of: call, book).filter { $0.to > incident.from && $0.from < end }
        let lost = call.gaps.first { $0.lostAt >= incident.from - Self.late && $0.lostAt < end }
        let recovery: Double?
        if Self.hitsWorkers(incident.fault.kind) {
            guard isOwned(call, by: incident) else { return }
            recovery = workerRecovery(call, incident)
        } else {
            recovery = lost.flatMap { lost in lost.backAt.map { milliseconds($0 - max(incident.from, lost.lostAt)) } }
            guard lost != nil || !pauses.isEmpty else { return }
        }
        line.calls += 1
        if let recovery { line.recoveries.append(recovery) }
        if incident.fault.kind == .drainWorker, let claim = claim(of: call, after: incident.from) {
            line.departures.append(milliseconds(max(0, claim - endOfTurn(call, at: incident.from))))
        }
        line.gaps += pauses.map { milliseconds($0.to - $0.from) }
        let check = ChaosCallCheck(call: call, session: nil, book: book)
        for index in call.said.indices {
            guard let said = call.said[index].endedAt, said >= incident.from, call.said[index].startedAt < end else {
                continue
            }
            if let answer = check.answered(index) { line.answers.append(milliseconds(answer - said)) }
        }
    }

    /// From the death until the agent is heard by a caller who was speaking or listening; for one who was silent until
    /// the new owner was there.
    private func workerRecovery(_ call: CallRecord, _ incident: ChaosIncident) -> Double? {
        if isEngaged(call, at: incident.from) {
            let dead = incident.from + Self.late
            return call.activity.first { $0.to > dead }.map { milliseconds(max($0.from, dead) - incident.from) }
        }
        return claim(of: call, after: incident.from).map { milliseconds($0 - incident.from) }
    }

    private func claim(of call: CallRecord, after time: Int64) -> Int64? {
        evidence.session(of: call)?.claims.first { $0.at > time }?.at
    }

    /// When the answer to what was being said, thought about or heard at that time had been heard; that time where nothing was. What is said into
    /// an answer begins a turn without a pause between the two.
    private func endOfTurn(_ call: CallRecord, at time: Int64) -> Int64 {
        guard isEngaged(call, at: time), var last = call.said.lastIndex(where: { $0.startedAt <= time }) else { return time }
        while last + 1 < call.said.count, call.said[last + 1].interrupts { last += 1 }
        let answer = book.lines[call.said[last].line].answer
        let next = call.said.dropFirst(last + 1).first?.startedAt ?? .max
        return call.played.last { $0.at < next && book.words[$0.word].answer == answer }.map { max(time, $0.until) } ?? time
    }

    /// A caller who speaks, waits for an answer or hears one.
    private func isEngaged(_ call: CallRecord, at time: Int64) -> Bool {
        if call.played.contains(where: { $0.at - 200_000_000 <= time && time < $0.until }) { return true }
        guard let last = call.said.lastIndex(where: { $0.startedAt <= time }) else { return false }
        guard let answer = ChaosCallCheck(call: call, session: nil, book: book).answered(last) else { return true }
        return answer > time
    }

    private static func hitsWorkers(_ kind: ChaosFault.Kind) -> Bool {
        switch kind {
        case .killWorker, .stopWorker, .drainWorker: true
        default: false
        }
    }

    /// Whether the worker that it happened to had the session then.
    private func isOwned(_ call: CallRecord, by incident: ChaosIncident) -> Bool {
        evidence.session(of: call)?.claims.last { $0.at <= incident.from }?.worker == incident.fault.target
    }

    /// Times between two words of an answer that lie further apart than a sentence's end explains.
    static func pauses(of call: CallRecord, _ book: ConversationBook) -> [(from: Int64, to: Int64)] {
        zip(call.played, call.played.dropFirst()).compactMap { before, after in
            let (a, b) = (book.words[before.word], book.words[after.word])
            guard a.answer == b.answer, b.place == a.place + 1 || b.place == a.place,
                Double(after.at - before.until) / 1e6 > longestGap
            else { return nil }
            return (before.until, after.at)
        }
    }

    private func milliseconds(_ nanoseconds: Int64) -> Double { Double(nanoseconds) / 1_000_000 }
}

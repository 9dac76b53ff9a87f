/// What the table of promises allows near a fault. Everything else is a violation wherever it happens.
enum ChaosPromises {
    /// Nanoseconds before and after a fault in which its consequences show.
    private static let before: Int64 = 3_000_000_000
    private static let after: Int64 = 12_000_000_000

    /// What a caller may notice of a fault. A dispatcher is the caller's own connection: what is in its sockets when it dies is lost, and where its
    /// caller was speaking, what was said is cut.
    static func allowed(by kind: ChaosFault.Kind) -> Set<ChaosViolation.Kind> {
        switch kind {
        case .killDispatcher: [.cutTurn, .lostTurn, .saidAgain, .skippedWords]
        case .stopDispatcher: [.cutTurn, .lostTurn, .saidAgain]
        default: []
        }
    }

    /// What a caller who cannot come back may lose beyond that: the call.
    static func allowedWithoutResume(by kind: ChaosFault.Kind) -> Set<ChaosViolation.Kind> {
        switch kind {
        case .killDispatcher, .stopDispatcher, .drainDispatcher:
            [.lostCall, .unanswered, .lostTurn, .cutTurn, .skippedWords]
        default: []
        }
    }

    static func allows(_ violation: ChaosViolation, isResumable: Bool, _ incidents: [ChaosIncident]) -> Bool {
        guard let at = violation.at else { return false }
        return incidents.contains { incident in
            guard at > incident.from - before, at < incident.to + after else { return false }
            let kind = incident.fault.kind
            return allowed(by: kind).contains(violation.kind)
                || !isResumable && allowedWithoutResume(by: kind).contains(violation.kind)
        }
    }
}

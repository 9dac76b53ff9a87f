/// Takeovers of one worker that are under way at a time; the others wait, those first whose caller waits for an answer. A value.
struct TakeoverQueue {
    typealias Start = @Sendable (TakeoverSlot) -> Void

    /// A worker's death brings its sessions to the others in one moment: all at once would make all of them late.
    static let limit = 20

    private var running = 0
    private var urgent: [Start] = []
    private var others: [Start] = []

    /// Whoever may start now, with their slots.
    mutating func enter(isUrgent: Bool, _ start: @escaping Start) -> [Start] {
        if isUrgent { urgent.append(start) } else { others.append(start) }
        return next()
    }

    mutating func leave() -> [Start] {
        running -= 1
        return next()
    }

    private mutating func next() -> [Start] {
        var due: [Start] = []
        while running < Self.limit, !urgent.isEmpty || !others.isEmpty {
            running += 1
            due.append(urgent.isEmpty ? others.removeFirst() : urgent.removeFirst())
        }
        return due
    }
}

/// Stands for one takeover that is under way.
struct TakeoverSlot: Sendable {}

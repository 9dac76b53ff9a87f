extension ChatContext {
    /// Keeps the newest `maxItems` items; no-op at or under the limit.
    ///
    /// Tool items that would then stand in front are dropped too, and so is a result anywhere whose call went: no provider accepts these. With
    /// `keepInstructions` a system message that led the context leads it still, then on top of `maxItems`. Later system messages are ordinary items.
    package mutating func truncate(maxItems: Int, keepInstructions: Bool = true) {
        guard items.count > maxItems else { return }
        cut(at: items.count - max(maxItems, 0), keepInstructions: keepInstructions)
    }

    /// Drops the oldest items until the estimate is at most `maxTokens`, and answers whether it is.
    ///
    /// The system message in front stays. A tool call and its result stay or go together, and what remains does not begin with a tool item. The
    /// newest message of the user and all after it are never dropped, since without them there is nothing to answer: so the limit may be
    /// exceeded, and the answer is then false.
    @discardableResult
    package mutating func truncate(maxTokens: Int) -> Bool {
        let first = instructions == nil ? 0 : 1
        var remaining = estimatedTokens
        if remaining <= maxTokens { return true }
        let newest = items.lastIndex { $0.role == .user } ?? items.count
        let resultIndex = resultIndices()
        var openUntil = first
        var cutIndex = first
        for index in items.indices.dropFirst(first) where index <= newest {
            if index >= openUntil, !items[index].isTool {
                cutIndex = index
                if remaining <= maxTokens { break }
            }
            openUntil = max(openUntil, resultIndex[index, default: index] + 1)
            remaining -= items[index].estimatedTokens
        }
        if cutIndex > first { cut(at: cutIndex, keepInstructions: true) }
        return estimatedTokens <= maxTokens
    }

    /// The index of a call to the index of its result. Some servers use an id again in a later turn: a result belongs to the newest call before it.
    private func resultIndices() -> [Int: Int] {
        var calls: [String: Int] = [:]
        var results: [Int: Int] = [:]
        for (index, item) in items.enumerated() {
            switch item {
            case .message: continue
            case .toolCall(let call): calls[call.id] = index
            case .toolResult(let result): if let call = calls[result.callID] { results[call] = index }
            }
        }
        return results
    }

    private mutating func cut(at index: Int, keepInstructions: Bool) {
        let leading = instructions == nil || !keepInstructions || index == 0 ? nil : items.first
        var kept = Array(items[index...].drop { $0.isTool })
        var calls: Set<String> = []
        kept.removeAll { item in
            switch item {
            case .message: return false
            case .toolCall(let call):
                calls.insert(call.id)
                return false
            case .toolResult(let result): return !calls.contains(result.callID)
            }
        }
        items = (leading.map { [$0] } ?? []) + kept
    }
}

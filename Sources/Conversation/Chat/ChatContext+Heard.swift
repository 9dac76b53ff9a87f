extension ChatContext {
    /// Takes what was not heard of a reply out of the context: a message that was cut short keeps the words that were heard and is marked
    /// interrupted, one of which nothing was heard is removed. Tool calls and results stay: they happened. A message heard in full is not changed.
    ///
    /// `heard` is the text of the whole reply up to where it was heard, as spoken. Markup and white space may differ from the messages; where a
    /// reply has several messages, the words are dealt out by counting letters and digits, so one side may then be short by a word that was
    /// respelled for speech.
    /// - Returns: false where every word was heard already, or the context has no such reply.
    @discardableResult
    package mutating func truncateToHeard(reply: UInt32, heard: String) -> Bool {
        let indices = items.indices.filter { index in
            guard case .message(let message) = items[index] else { return false }
            return message.reply == reply && message.role == .assistant
        }
        var rest = heard[...]
        var removed: [Int] = []
        var changed = false
        for index in indices {
            guard case .message(var message) = items[index] else { continue }
            let part = index == indices.last ? rest : Self.take(spokenCount(message.text), from: &rest)
            let text = trimmed(part)
            if wordScalarCount(text) == 0 {
                removed.append(index)
            } else if wordScalarCount(text) >= spokenCount(message.text) {
                continue
            } else {
                message.text = text
                message.interrupted = true
                items[index] = .message(message)
            }
            changed = true
        }
        for index in removed.reversed() { items.remove(at: index) }
        return changed
    }

    /// Cuts the prefix with `count` letters and digits, and the marks behind the last of them, off `rest`.
    private static func take(_ count: Int, from rest: inout Substring) -> Substring {
        var seen = 0
        var end = rest.startIndex
        for index in rest.unicodeScalars.indices {
            let scalar = rest.unicodeScalars[index]
            if scalar.isWordScalar {
                if seen == count { break }
                seen += 1
            }
            end = rest.unicodeScalars.index(after: index)
        }
        defer { rest = rest[end...] }
        return rest[..<end]
    }
}

/// The letters and digits of a message that are spoken: the target of a link is not.
private func spokenCount(_ text: String) -> Int {
    wordScalarCount(SpeechText.prepare(text) ?? "")
}

private func wordScalarCount(_ text: some StringProtocol) -> Int {
    text.unicodeScalars.reduce(0) { $0 + ($1.isWordScalar ? 1 : 0) }
}

private func trimmed(_ text: Substring) -> String {
    let front = text.drop { $0.isWhitespace }
    guard let last = front.lastIndex(where: { !$0.isWhitespace }) else { return "" }
    return String(front[...last])
}

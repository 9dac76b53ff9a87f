/// Masks numbers that look like those of payment cards in what was said, recognised, filled in and sent to tools: 13 to 19 digits, alone or
/// in groups divided by spaces or hyphens. Digits become `*`, but for the last four.
package struct DigitRedaction: RedactionHook {
    package static let name = "digits"

    private static let lengths = 13...19
    private static let shown = 4

    package init() {}

    package func redact(_ event: Event) -> Event? {
        guard let body = event.body, let masked = mask(body) else { return nil }
        var event = event
        event.body = masked
        return event
    }

    private func mask(_ body: Event.OneOf_Body) -> Event.OneOf_Body? {
        switch body {
        case .userTurn(var value): return change(&value, \.text).map { .userTurn($0) }
        case .userPartial(var value): return change(&value, \.text).map { .userPartial($0) }
        case .sentence(var value): return change(&value, \.text).map { .sentence($0) }
        case .heard(var value):
            let (first, second) = (change(&value, \.text), change(&value, \.remaining))
            return first == nil && second == nil ? nil : .heard(value)
        case .toolCalled(var value): return change(&value, \.arguments).map { .toolCalled($0) }
        case .toolReturned(var value): return change(&value, \.content).map { .toolReturned($0) }
        case .command(var value): return change(&value, \.payload).map { .command($0) }
        case .slotFilled(var value):
            let (first, second) = (change(&value, \.value), change(&value, \.words))
            return first == nil && second == nil ? nil : .slotFilled(value)
        case .opened, .attached, .detached, .claimed, .replyStarted, .replyProgress, .replyWritten, .sentenceAudio, .handedOff, .flowMoved, .dtmf,
            .latency, .usage,
            .error, .closed:
            return nil
        }
    }

    private func change<Value>(_ value: inout Value, _ path: WritableKeyPath<Value, String>) -> Value? {
        guard let masked = Self.mask(value[keyPath: path]) else { return nil }
        value[keyPath: path] = masked
        return value
    }

    /// The text with such numbers masked; nil when it has none.
    static func mask(_ text: String) -> String? {
        var bytes = Array(text.utf8)
        var isChanged = false
        var index = 0
        while index < bytes.count {
            guard isDigit(bytes[index]) else {
                index += 1
                continue
            }
            let digits = run(in: bytes, from: index)
            if lengths.contains(digits.count) {
                for place in digits.dropLast(shown) { bytes[place] = UInt8(ascii: "*") }
                isChanged = true
            }
            index = (digits.last ?? index) + 1
        }
        return isChanged ? String(decoding: bytes, as: UTF8.self) : nil
    }

    /// Where the digits are that begin here, with at most one divider between two.
    private static func run(in bytes: [UInt8], from start: Int) -> [Int] {
        var places = [start]
        var index = start + 1
        while index < bytes.count {
            if isDigit(bytes[index]) {
                places.append(index)
            } else if !isDivider(bytes[index]) || index + 1 >= bytes.count || !isDigit(bytes[index + 1]) {
                break
            }
            index += 1
        }
        return places
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
    private static func isDivider(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "-") }
}

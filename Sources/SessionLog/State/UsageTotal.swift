/// What was used of one provider.
package struct UsageTotal: Hashable, Sendable {
    package private(set) var audioSeconds = 0.0
    package private(set) var inputTokens: Int64 = 0
    package private(set) var cachedInputTokens: Int64 = 0
    package private(set) var outputTokens: Int64 = 0
    package private(set) var characters: Int64 = 0

    package init() {}

    mutating func add(_ usage: Usage) {
        audioSeconds += usage.audioSeconds
        // Counts from outside may be anything; a sum that would overflow stays where it is.
        inputTokens = Self.sum(inputTokens, usage.inputTokens)
        cachedInputTokens = Self.sum(cachedInputTokens, usage.cachedInputTokens)
        outputTokens = Self.sum(outputTokens, usage.outputTokens)
        characters = Self.sum(characters, usage.characters)
    }

    private static func sum(_ left: Int64, _ right: Int64) -> Int64 {
        let (sum, overflow) = left.addingReportingOverflow(right)
        return overflow ? left : sum
    }
}

extension SessionState {
    /// What usage is added up by.
    package struct UsageKey: Hashable, Sendable {
        /// `stt`, `llm` or `tts`.
        package var kind: String
        /// `provider/model`.
        package var provider: String
        /// It was spent on a discarded speculation.
        package var wasted: Bool

        init(_ usage: Usage) {
            kind = usage.kind
            provider = usage.provider
            wasted = usage.wasted
        }
    }
}

/// What the operator's account with a vendor allows, as all workers together may use it. Nil: as much as the vendor gives.
package struct VendorQuota: Sendable, Hashable {
    /// Recognition streams at the same time.
    package var streams: Int?
    /// Sentences in synthesis at the same time: vendors call them contexts or requests.
    package var contexts: Int?
    /// Generations at the same time.
    package var requests: Int?
    /// Of each model.
    package var requestsPerMinute: Double?
    /// Of each model, input and output together.
    package var tokensPerMinute: Double?
    package var inputTokensPerMinute: Double?
    package var outputTokensPerMinute: Double?

    package init(
        streams: Int? = nil, contexts: Int? = nil, requests: Int? = nil, requestsPerMinute: Double? = nil,
        tokensPerMinute: Double? = nil, inputTokensPerMinute: Double? = nil, outputTokensPerMinute: Double? = nil
    ) {
        self.streams = streams
        self.contexts = contexts
        self.requests = requests
        self.requestsPerMinute = requestsPerMinute
        self.tokensPerMinute = tokensPerMinute
        self.inputTokensPerMinute = inputTokensPerMinute
        self.outputTokensPerMinute = outputTokensPerMinute
    }

    /// Whether generations are limited in any way.
    var limitsGenerations: Bool {
        requests != nil || requestsPerMinute != nil || tokensPerMinute != nil || inputTokensPerMinute != nil
            || outputTokensPerMinute != nil
    }
}

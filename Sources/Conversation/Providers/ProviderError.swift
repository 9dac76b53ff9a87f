/// Why a provider could not do what it was asked. One type for all vendors, so that retries, fallbacks and metrics treat them alike.
package struct ProviderError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What kind of failure it was; decides whether another try can help.
    package enum Category: String, Sendable, Hashable, CaseIterable {
        case authentication, permission, invalidRequest, quota, rateLimited, timeout, connectivity, server, protocolViolation
        case cancelled, unavailable, modelMissing
    }

    package var category: Category
    /// `vendor/model`, e.g. `deepgram/nova-3`.
    package var provider: String
    /// What was wrong and what the operator can do; never contains a key or a caller's words.
    package var message: String
    /// HTTP status or WebSocket close code, where there was one.
    package var status: Int?
    /// What the vendor asked us to wait, in milliseconds.
    package var retryAfterMilliseconds: Int?
    /// The vendor's id of the request, for support tickets.
    package var requestID: String?

    package init(
        _ category: Category, provider: String, message: String, status: Int? = nil, retryAfterMilliseconds: Int? = nil,
        requestID: String? = nil
    ) {
        self.category = category
        self.provider = provider
        self.message = message
        self.status = status
        self.retryAfterMilliseconds = retryAfterMilliseconds
        self.requestID = requestID
    }

    /// True where the same request may succeed when it is sent again.
    package var isRetryable: Bool {
        switch category {
        case .rateLimited, .timeout, .connectivity, .server, .unavailable: true
        case .authentication, .permission, .invalidRequest, .quota, .protocolViolation, .cancelled, .modelMissing: false
        }
    }

    package var description: String {
        let code = status.map { " (\($0))" } ?? ""
        return "\(provider): \(category.rawValue)\(code): \(message)"
    }
}

import Conversation
import HTTPClient
import NIOCore
import ProviderSupport
import WireCoding

/// Anthropic's errors: `{"type":"error","error":{"type","message"},"request_id"}`, before the stream or inside it.
enum AnthropicErrors {
    static func response(_ head: HTTPHead, _ body: ByteBuffer, provider: String) -> ProviderError {
        let json = (try? JSONDocument(body))?.root
        let error = json?["error"]
        var category =
            category(error?["type"].string ?? "")
            ?? (head.status == 529 ? .unavailable : HTTPFailure.category(head.status))
        if error?["details"]["error_code"].string == "enforced_spend_limit_reached" { category = .quota }
        let words = error?["message"].string.map { ": \($0)" } ?? ""
        return ProviderError(
            category, provider: provider,
            message: HTTPFailure.shorten(HTTPFailure.advice(category, keyVariable: "ANTHROPIC_API_KEY") + words),
            status: head.status,
            retryAfterMilliseconds: HTTPFailure.retryAfter(head.header),
            requestID: HTTPFailure.requestID(head.header) ?? json?["request_id"].string)
    }

    static func inStream(_ error: JSONValue, provider: String) -> ProviderError {
        ProviderError(
            category(error["type"].string ?? "") ?? .server, provider: provider,
            message: HTTPFailure.shorten(error["message"].string ?? "the service reported an error"))
    }

    private static func category(_ type: String) -> ProviderError.Category? {
        switch type {
        case "invalid_request_error", "request_too_large": .invalidRequest
        case "authentication_error": .authentication
        case "billing_error": .quota
        case "permission_error": .permission
        case "not_found_error": .modelMissing
        case "rate_limit_error": .rateLimited
        case "timeout_error": .timeout
        case "api_error": .server
        case "overloaded_error": .unavailable
        default: nil
        }
    }
}

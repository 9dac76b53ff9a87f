import Conversation
import HTTPClient
import NIOCore
import ProviderSupport
import WireCoding

/// OpenAI's error bodies: `{"error":{"message","type","param","code"}}`; compatible servers also send `{"message"}`, `{"detail"}` or a
/// string under `error`.
enum OpenAIErrors {
    static func response(_ head: HTTPHead, _ body: ByteBuffer, provider: String, keyVariable: String) -> ProviderError {
        let json = (try? JSONDocument(body))?.root
        let error = json?["error"]
        let code = error?["code"].string ?? json?["code"].string ?? ""
        let category = category(status: head.status, code: code, type: error?["type"].string ?? "")
        let words = words(error) ?? json?["message"].string ?? json?["detail"].string ?? ""
        let message = HTTPFailure.advice(category, keyVariable: keyVariable) + (words.isEmpty ? "" : ": \(words)")
        return ProviderError(
            category, provider: provider, message: HTTPFailure.shorten(message), status: head.status,
            retryAfterMilliseconds: HTTPFailure.retryAfter(head.header), requestID: HTTPFailure.requestID(head.header))
    }

    /// An error in place of a chunk, after a status of 200.
    static func inStream(_ error: JSONValue, provider: String) -> ProviderError {
        let status = error["code"].int ?? error["status"].int ?? error["status_code"].int
        let category = category(
            status: status ?? 500, code: error["code"].string ?? "", type: error["type"].string ?? "")
        return ProviderError(
            category, provider: provider, message: HTTPFailure.shorten(words(error) ?? "the server reported an error"),
            status: status)
    }

    private static func words(_ error: JSONValue?) -> String? { error?["message"].string ?? error?.string }

    private static func category(status: Int, code: String, type: String) -> ProviderError.Category {
        switch (code, type) {
        case ("insufficient_quota", _), (_, "insufficient_quota"): .quota
        case ("model_not_found", _): .modelMissing
        case ("rate_limit_exceeded", _), (_, "rate_limit_error"), (_, "rate_limit_exceeded"): .rateLimited
        case ("invalid_api_key", _): .authentication
        default: HTTPFailure.category(status)
        }
    }
}

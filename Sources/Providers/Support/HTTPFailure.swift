package import Conversation
package import HTTPClient
import NIOCore
package import WebSocket

/// How HTTP statuses and transport failures become `ProviderError`s, the same for all vendors.
package enum HTTPFailure {
    /// The category of a status without a better word from the vendor.
    package static func category(_ status: Int) -> ProviderError.Category {
        switch status {
        case 401: .authentication
        case 402: .quota
        case 403: .permission
        case 408, 504: .timeout
        case 409, 425: .unavailable
        case 429: .rateLimited
        case 400..<500: .invalidRequest
        case 500..<600: .server
        default: .protocolViolation
        }
    }

    /// What an operator can do about it; put in front of the vendor's own words.
    package static func advice(_ category: ProviderError.Category, keyVariable: String) -> String {
        switch category {
        case .authentication: "the key in \(keyVariable) was refused"
        case .permission: "the key in \(keyVariable) may not use this"
        case .quota: "the account has no credit left"
        case .rateLimited: "the rate or concurrency limit is reached"
        case .invalidRequest: "the request was refused; check model and options"
        case .timeout: "no answer in time"
        case .server, .unavailable: "the service has a problem"
        case .connectivity: "the connection failed"
        case .protocolViolation: "the answer makes no sense"
        case .cancelled: "cancelled"
        case .modelMissing: "the model does not exist"
        }
    }

    /// The wait a response asks for, in milliseconds: `retry-after-ms`, or `retry-after` in seconds (dates are ignored).
    package static func retryAfter(_ header: (String) -> String?) -> Int? {
        if let text = header("retry-after-ms"), let value = Double(text), value >= 0, value < 1e9 { return Int(value) }
        if let text = header("retry-after"), let value = Double(text), value >= 0, value < 1e6 {
            return Int(value * 1_000)
        }
        return nil
    }

    /// The vendor's id of a request.
    package static func requestID(_ header: (String) -> String?) -> String? {
        header("x-request-id") ?? header("request-id") ?? header("dg-request-id") ?? header("x-trace-id")
    }

    package static func error(_ error: HTTPClientError, provider: String) -> ProviderError {
        let category: ProviderError.Category =
            switch error.code {
            case .timedOut: .timeout
            case .invalidRequest: .invalidRequest
            case .protocolViolation, .tooLarge: .protocolViolation
            case .shutDown: .cancelled
            default: .connectivity
            }
        return ProviderError(category, provider: provider, message: error.message)
    }

    /// A WebSocket that could not be opened or broke; `keyVariable` names what to check when it was refused. `body` turns the
    /// vendor's refusal into its words.
    package static func error(
        _ error: WebSocketError, provider: String, keyVariable: String, words: (String) -> String?
    ) -> ProviderError {
        if let refusal = error.refusal {
            let category = category(refusal.status)
            let said = words(refusal.body).map { ": \($0)" } ?? ""
            return ProviderError(
                category, provider: provider, message: advice(category, keyVariable: keyVariable) + shorten(said),
                status: refusal.status, retryAfterMilliseconds: retryAfter(refusal.header),
                requestID: requestID(refusal.header))
        }
        let category: ProviderError.Category =
            switch error.code {
            case .timedOut, .idle: .timeout
            case .invalidURL: .invalidRequest
            case .handshake, .protocolViolation: .protocolViolation
            default: .connectivity
            }
        return ProviderError(category, provider: provider, message: error.message)
    }

    /// Vendors' messages may be long; an error's is not.
    package static func shorten(_ text: String) -> String {
        text.count <= 300 ? text : text.prefix(297) + "..."
    }
}

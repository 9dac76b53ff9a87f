import SimulatedHTTP
import WireCoding

/// Every vendor's error body for a status.
enum SimulatorErrors {
    static func answer(
        _ vendor: SimulatedVendor, _ status: Int, _ message: String? = nil, code: String? = nil,
        retryAfter: Double? = nil
    ) -> SimulatedAnswer {
        let text = message ?? words(status)
        var headers: [(String, String)] = []
        if let retryAfter {
            headers.append(("retry-after", retryAfter == retryAfter.rounded() ? "\(Int(retryAfter))" : "\(retryAfter)"))
        }
        switch vendor {
        case .deepgram:
            let id = makeRequestID()
            return .json(status, headers: headers + [("dg-request-id", id), ("dg-error", text)]) {
                $0.member("err_code", code ?? deepgramCode(status))
                $0.member("err_msg", text)
                $0.member("request_id", id)
            }
        case .openai:
            return .json(status, headers: headers + [("x-request-id", makeRequestID("req_"))]) {
                $0.key("error")
                $0.object { openAI(&$0, status, text, code) }
            }
        case .anthropic:
            let id = makeRequestID("req_")
            return .json(status, headers: headers + [("request-id", id)]) {
                $0.member("type", "error")
                $0.memberObject("error") {
                    $0.member("type", code ?? anthropicType(status))
                    $0.member("message", text)
                }
                $0.member("request_id", id)
            }
        case .elevenlabs:
            return .json(status, headers: headers) {
                $0.memberObject("detail") {
                    $0.member("status", code ?? elevenLabsStatus(status))
                    $0.member("message", text)
                }
            }
        case .cartesia:
            return .json(status, headers: headers) {
                $0.member("error_code", code ?? "error_\(status)")
                $0.member("title", text)
                $0.member("message", text)
                $0.member("status_code", status)
            }
        }
    }

    static func openAI(_ json: inout JSONWriter, _ status: Int, _ message: String, _ code: String?) {
        json.member("message", message)
        json.member("type", status == 429 ? "requests" : status >= 500 ? "server_error" : "invalid_request_error")
        json.memberNull("param")
        let known = status == 401 ? "invalid_api_key" : status == 429 ? "rate_limit_exceeded" : nil
        if let code = code ?? known { json.member("code", code) } else { json.memberNull("code") }
    }

    static func words(_ status: Int) -> String {
        switch status {
        case 400: "The request is not valid."
        case 401: "The API key is not valid."
        case 402: "The account has no credit left."
        case 403: "The API key may not do this."
        case 404: "There is no such model."
        case 429: "Rate limit reached. Please try again later."
        case 503, 529: "Overloaded."
        default: "The server had an error while processing your request."
        }
    }

    private static func deepgramCode(_ status: Int) -> String {
        switch status {
        case 401: "INVALID_AUTH"
        case 402: "ASR_PAYMENT_REQUIRED"
        case 429: "TOO_MANY_REQUESTS"
        case 400..<500: "INVALID_QUERY_PARAMETER"
        default: "INTERNAL_SERVER_ERROR"
        }
    }

    static func anthropicType(_ status: Int) -> String {
        switch status {
        case 401: "authentication_error"
        case 402: "billing_error"
        case 403: "permission_error"
        case 404: "not_found_error"
        case 413: "request_too_large"
        case 429: "rate_limit_error"
        case 504: "timeout_error"
        case 529: "overloaded_error"
        case 400..<500: "invalid_request_error"
        default: "api_error"
        }
    }

    private static func elevenLabsStatus(_ status: Int) -> String {
        switch status {
        case 401: "invalid_api_key"
        case 402: "quota_exceeded"
        case 404: "voice_not_found"
        case 429: "too_many_concurrent_requests"
        case 400..<500: "invalid_request"
        default: "internal_error"
        }
    }
}

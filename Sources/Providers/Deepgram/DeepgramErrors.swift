import Conversation
import ProviderSupport
import WebSocket
import WireCoding

/// Deepgram's refusals (`{"err_code","err_msg","request_id"}`) and close codes as provider errors.
enum DeepgramErrors {
    static func closed(_ closure: WebSocketClosure, provider: String) -> ProviderError {
        if let error = closure.error, closure.code == .abnormal || error.refusal != nil || closure.isLocal {
            return HTTPFailure.error(error, provider: provider, keyVariable: "DEEPGRAM_API_KEY") { body in
                let json = (try? JSONDocument(body))?.root
                return json?["err_msg"].string ?? json?["message"].string
            }
        }
        let reason = closure.reason.isEmpty ? "the connection was closed" : closure.reason
        let category: ProviderError.Category =
            switch closure.code.rawValue {
            // 1008 DATA-0000: the audio cannot be decoded. Sending it again does not help.
            case 1008: .invalidRequest
            // 1011 NET-0000: no answer in time; NET-0001: no audio in time.
            case 1011: .server
            case 1002, 1003, 1007, 1009: .protocolViolation
            default: .connectivity
            }
        return ProviderError(
            category, provider: provider, message: HTTPFailure.shorten(reason), status: Int(closure.code.rawValue))
    }
}

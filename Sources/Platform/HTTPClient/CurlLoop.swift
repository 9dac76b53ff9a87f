import CCurl
import NIOCore

/// What runs on curl's thread: transfers by exchange, and one step of the multi interface at a time.
@safe final class CurlLoop {
    /// Easy handles kept for the next request; each holds buffers of some 20 KB.
    private static let sparesKept = 64

    private let multi: UnsafeMutableRawPointer
    private let certificates: String?
    private var transfers: [UInt64: CurlTransfer] = [:]
    private var spares: [UnsafeMutableRawPointer] = unsafe []
    /// The earliest first-byte deadline that may be over.
    private var nextDeadline: NIODeadline?

    init(multi: UnsafeMutableRawPointer, certificates: String?) {
        unsafe self.multi = multi
        self.certificates = certificates
    }

    /// False for `shutDown`.
    func perform(_ command: CurlEngine.Command) -> Bool {
        switch command {
        case .start(let request, let exchange): start(request, exchange)
        case .cancel(let id): if let transfer = transfers[id] { release(transfer) }
        case .resume(let id):
            if let transfer = transfers[id] { unsafe curl_easy_pause(transfer.handle, CURLPAUSE_CONT) }
        case .shutDown: return false
        }
        return true
    }

    /// Moves bytes, reports what is done, then waits for sockets, commands or the next deadline (at most a second).
    func step() {
        var running: Int32 = 0
        unsafe curl_multi_perform(multi, &running)
        reportDone()
        let wait = checkDeadlines()
        unsafe curl_multi_poll(multi, nil, 0, wait, nil)
    }

    func shutDown() {
        for transfer in transfers.values {
            _ = transfer.exchange.deliver(.failed(CurlEngine.shutDownError))
            release(transfer)
        }
        while let handle = unsafe spares.popLast() { unsafe curl_easy_cleanup(handle) }
        unsafe curl_multi_cleanup(multi)
    }

    private func start(_ request: HTTPRequest, _ exchange: HTTPExchange) {
        guard let handle = unsafe spares.popLast() ?? curl_easy_init() else {
            _ = exchange.deliver(.failed(HTTPClientError(.invalidRequest, "curl has no memory for another request")))
            return
        }
        do {
            let transfer = try unsafe CurlTransfer(
                request, exchange: exchange, handle: handle, certificates: certificates)
            transfers[exchange.id] = transfer
            unsafe curl_multi_add_handle(multi, handle)
            nextDeadline = min(nextDeadline ?? transfer.firstByteDeadline, transfer.firstByteDeadline)
        } catch {
            unsafe recycle(handle)
            _ = exchange.deliver(.failed(error))
        }
    }

    private func release(_ transfer: CurlTransfer) {
        transfers[transfer.exchange.id] = nil
        unsafe curl_multi_remove_handle(multi, transfer.handle)
        unsafe recycle(transfer.handle)
    }

    private func recycle(_ handle: UnsafeMutableRawPointer) {
        guard unsafe spares.count < Self.sparesKept else { return unsafe curl_easy_cleanup(handle) }
        unsafe curl_easy_reset(handle)
        unsafe spares.append(handle)
    }

    private func reportDone() {
        var left: Int32 = 0
        while let message = unsafe curl_multi_info_read(multi, &left) {
            guard unsafe message.pointee.msg == CURLMSG_DONE, let handle = unsafe message.pointee.easy_handle else {
                continue
            }
            let result = unsafe curl_message_result(message)
            var context: UnsafeMutableRawPointer?
            unsafe curl_get_pointer(handle, CURLINFO_PRIVATE, &context)
            guard let context = unsafe context else { continue }
            let transfer = unsafe Unmanaged<CurlTransfer>.fromOpaque(context).takeUnretainedValue()
            _ = transfer.exchange.deliver(result == CURLE_OK ? .finished : .failed(explain(result, transfer)))
            release(transfer)
        }
    }

    /// Milliseconds until there is something to look at again.
    private func checkDeadlines() -> Int32 {
        guard let deadline = nextDeadline else { return 1_000 }
        let now = NIODeadline.now()
        if deadline <= now {
            for transfer in transfers.values where !transfer.hasHead && transfer.firstByteDeadline <= now {
                let text = "\(transfer.place) did not answer within \(transfer.deadlines.firstByte) ms"
                _ = transfer.exchange.deliver(.failed(HTTPClientError(.timedOut, text)))
                release(transfer)
            }
            nextDeadline = transfers.values.lazy.filter { !$0.hasHead }.map(\.firstByteDeadline).min()
        }
        guard let next = nextDeadline else { return 1_000 }
        return Int32(min(1_000, max(1, (next - now).nanoseconds / 1_000_000 + 1)))
    }

    private func explain(_ result: CURLcode, _ transfer: CurlTransfer) -> HTTPClientError {
        let why = unsafe String(cString: curl_easy_strerror(result))
        let code: HTTPClientError.Code =
            switch result {
            case CURLE_OPERATION_TIMEDOUT: .timedOut
            case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_CONNECT, CURLE_COULDNT_RESOLVE_PROXY: .connectFailed
            case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CERTPROBLEM,
                CURLE_SSL_CACERT_BADFILE:
                .tls
            case CURLE_URL_MALFORMAT, CURLE_UNSUPPORTED_PROTOCOL, CURLE_BAD_FUNCTION_ARGUMENT: .invalidRequest
            case CURLE_HTTP2, CURLE_HTTP2_STREAM, CURLE_WEIRD_SERVER_REPLY: .protocolViolation
            default: .connectionLost
            }
        return HTTPClientError(code, "\(transfer.place): \(why)")
    }
}

import CCurl
import NIOCore

/// One easy handle and the exchange it works for. Lives on curl's thread.
@safe final class CurlTransfer {
    let exchange: HTTPExchange
    let place: String
    let startedAt: NIODeadline
    let deadlines: HTTPDeadlines
    let handle: UnsafeMutableRawPointer
    private(set) var hasHead = false
    private var headerList: UnsafeMutablePointer<curl_slist>?
    private var head: HTTPHead?

    init(_ request: HTTPRequest, exchange: HTTPExchange, handle: UnsafeMutableRawPointer, certificates: String?)
        throws(HTTPClientError)
    {
        self.exchange = exchange
        unsafe self.handle = handle
        place = request.place
        deadlines = request.deadlines
        startedAt = .now()
        try configure(request, certificates: certificates)
    }

    /// Gives back what curl only borrowed. The handle is the engine's.
    deinit { unsafe curl_slist_free_all(headerList) }

    var firstByteDeadline: NIODeadline { startedAt + .milliseconds(Int64(deadlines.firstByte)) }

    private func configure(_ request: HTTPRequest, certificates: String?) throws(HTTPClientError) {
        for (name, value) in request.headers {
            // A line break in a header would be a second header.
            guard !name.isEmpty, !(name + value).utf8.contains(where: { $0 == 0x0D || $0 == 0x0A || $0 == 0 }) else {
                throw HTTPClientError(.invalidRequest, "a header for \(place) contains a line break or has no name")
            }
        }
        // curl would wait for "100 Continue" before larger bodies.
        for (name, value) in request.headers + [("Expect", "")] {
            let line = value.isEmpty ? "\(name):" : "\(name): \(value)"
            unsafe headerList = unsafe curl_slist_append(headerList, line)
        }
        var ok = unsafe curl_set_string(handle, CURLOPT_URL, request.url) == CURLE_OK
        ok = unsafe curl_set_string(handle, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK && ok
        ok = unsafe curl_set_string(handle, CURLOPT_CUSTOMREQUEST, request.method) == CURLE_OK && ok
        unsafe curl_set_pointer(handle, CURLOPT_HTTPHEADER, headerList)
        setLongs(request)
        if let certificates { ok = unsafe curl_set_string(handle, CURLOPT_CAINFO, certificates) == CURLE_OK && ok }
        if let body = request.body {
            unsafe curl_set_size(handle, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(body.readableBytes))
            let copied = unsafe body.withUnsafeReadableBytes { bytes in
                unsafe curl_set_pointer(
                    handle, CURLOPT_COPYPOSTFIELDS, UnsafeMutableRawPointer(mutating: bytes.baseAddress))
            }
            ok = copied == CURLE_OK && ok
        }
        unsafe curl_set_data_function(handle, CURLOPT_HEADERFUNCTION, receiveHeader)
        unsafe curl_set_data_function(handle, CURLOPT_WRITEFUNCTION, receiveBody)
        // Unretained: the engine keeps the transfer as long as curl has the handle.
        let context = unsafe Unmanaged.passUnretained(self).toOpaque()
        unsafe curl_set_pointer(handle, CURLOPT_HEADERDATA, context)
        unsafe curl_set_pointer(handle, CURLOPT_WRITEDATA, context)
        unsafe curl_set_pointer(handle, CURLOPT_PRIVATE, context)
        guard ok else { throw HTTPClientError(.invalidRequest, "curl does not accept the request to \(place)") }
    }

    private func setLongs(_ request: HTTPRequest) {
        var options: [(CURLoption, Int)] = [
            (CURLOPT_NOSIGNAL, 1), (CURLOPT_FOLLOWLOCATION, 0), (CURLOPT_TCP_NODELAY, 1), (CURLOPT_TCP_KEEPALIVE, 1),
            // HTTP/2 where TLS offers it; wait for a connection that can be shared instead of opening another.
            (CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_2TLS)), (CURLOPT_PIPEWAIT, 1),
            (CURLOPT_FRESH_CONNECT, request.isRepeatable ? 0 : 1),
            (CURLOPT_CONNECTTIMEOUT_MS, deadlines.connect), (CURLOPT_TIMEOUT_MS, deadlines.total),
        ]
        if deadlines.stall > 0 {
            options += [
                (CURLOPT_LOW_SPEED_LIMIT, 1), (CURLOPT_LOW_SPEED_TIME, max(1, (deadlines.stall + 999) / 1_000)),
            ]
        }
        if request.method == "HEAD" { options.append((CURLOPT_NOBODY, 1)) }
        if request.body != nil { options.append((CURLOPT_POST, 1)) }
        for (option, value) in options { unsafe curl_set_long(handle, option, value) }
    }

    /// One line of the head, with its line break.
    fileprivate func header(_ line: UnsafeRawBufferPointer) {
        let text = unsafe String(decoding: line, as: UTF8.self)
        let trimmed = text.trimmingSuffix { $0 == "\r\n" || $0 == "\n" || $0 == "\r" }
        if trimmed.hasPrefix("HTTP/") {
            // A new status line: what came before was a 1xx.
            let status = trimmed.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
            head = HTTPHead(status: status)
        } else if trimmed.isEmpty {
            guard let complete = head, complete.status >= 200 else { return }
            head = nil
            hasHead = true
            _ = exchange.deliver(.head(complete))
        } else if let colon = trimmed.firstIndex(of: ":") {
            let value = trimmed[trimmed.index(after: colon)...].drop { $0 == " " || $0 == "\t" }
            head?.headers.append((trimmed[..<colon].lowercased(), String(value)))
        }
    }

    /// False pauses the transfer; curl then keeps these bytes and offers them again.
    fileprivate func body(_ bytes: UnsafeRawBufferPointer) -> Bool {
        unsafe exchange.deliver(.body(ByteBuffer(bytes: bytes)))
    }
}

extension String {
    fileprivate func trimmingSuffix(_ matches: (Character) -> Bool) -> Substring {
        var rest = self[...]
        while let last = rest.last, matches(last) { rest.removeLast() }
        return rest
    }
}

private func receiveHeader(
    _ data: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ context: UnsafeMutableRawPointer?
) -> Int {
    guard let data = unsafe data, let context = unsafe context else { return 0 }
    let transfer = unsafe Unmanaged<CurlTransfer>.fromOpaque(context).takeUnretainedValue()
    unsafe transfer.header(UnsafeRawBufferPointer(start: data, count: size * count))
    return size * count
}

private func receiveBody(
    _ data: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ context: UnsafeMutableRawPointer?
) -> Int {
    guard let data = unsafe data, let context = unsafe context else { return 0 }
    let transfer = unsafe Unmanaged<CurlTransfer>.fromOpaque(context).takeUnretainedValue()
    let accepted = unsafe transfer.body(UnsafeRawBufferPointer(start: data, count: size * count))
    return accepted ? size * count : Int(CURL_WRITEFUNC_PAUSE)
}

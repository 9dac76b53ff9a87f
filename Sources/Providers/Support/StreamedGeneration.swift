package import Conversation
package import HTTPClient
package import NIOCore

/// Turns a vendor's response body into events. A value without I/O: bytes in, events out.
package protocol GenerationDecoder {
    /// Decodes what `bytes` complete. `finished` may come before the body ends; what follows it is ignored.
    mutating func decode(_ bytes: ByteBuffer, _ emit: (GenerationEvent) -> Void) throws(ProviderError)
    /// The body has ended: emits `finished` if it has not been, or throws when the answer is incomplete.
    mutating func end(_ emit: (GenerationEvent) -> Void) throws(ProviderError)
}

/// What is particular to a vendor's streaming endpoint.
package struct GenerationCall: Sendable {
    package var provider: String
    package var request: HTTPRequest
    package var makeDecoder: @Sendable () -> any GenerationDecoder
    /// The error in a response that is not 200.
    package var explain: @Sendable (HTTPHead, ByteBuffer) -> ProviderError

    package init(
        provider: String, request: HTTPRequest, makeDecoder: @escaping @Sendable () -> any GenerationDecoder,
        explain: @escaping @Sendable (HTTPHead, ByteBuffer) -> ProviderError
    ) {
        self.provider = provider
        self.request = request
        self.makeDecoder = makeDecoder
        self.explain = explain
    }
}

/// One generation over HTTP: retries before the first token, one deadline over all tries, nothing after the end or a cancel.
/// Confined to its event loop.
package final class StreamedGeneration: Generation {
    /// Error bodies are read up to this length.
    private static let maximumErrorBytes = 64 << 10

    private let call: Result<GenerationCall, ProviderError>
    private let client: HTTPClient
    private let retry: ProviderRetry
    private let eventLoop: any EventLoop
    private let deadlineMilliseconds: Int
    private var events: (@Sendable (GenerationEvent) -> Void)?
    private var exchange: HTTPExchange?
    private var decoder: (any GenerationDecoder)?
    private var failedHead: HTTPHead?
    private var failedBody = ByteBuffer()
    private var failures = 0
    private var attempt = 0
    private var hasOutput = false
    private var deadline: Scheduled<Void>?
    private var retryTimer: Scheduled<Void>?

    /// A call that could not even be made is delivered as `failed`.
    package static func start(
        _ call: Result<GenerationCall, ProviderError>, client: HTTPClient, retry: ProviderRetry = ProviderRetry(),
        deadlineMilliseconds: Int, on eventLoop: any EventLoop, events: @escaping @Sendable (GenerationEvent) -> Void
    ) -> StreamedGeneration {
        let generation = StreamedGeneration(call, client, retry, deadlineMilliseconds, eventLoop, events)
        eventLoop.assumeIsolated().execute { generation.begin() }
        return generation
    }

    private init(
        _ call: Result<GenerationCall, ProviderError>, _ client: HTTPClient, _ retry: ProviderRetry,
        _ deadlineMilliseconds: Int,
        _ eventLoop: any EventLoop, _ events: @escaping @Sendable (GenerationEvent) -> Void
    ) {
        self.call = call
        self.client = client
        self.retry = retry
        self.deadlineMilliseconds = deadlineMilliseconds
        self.eventLoop = eventLoop
        self.events = events
    }

    package func cancel() {
        events = nil
        stop()
    }

    private func begin() {
        guard let events else { return }
        switch call {
        case .failure(let error): end(.failed(error))
        case .success(let call):
            deadline = eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(Int64(deadlineMilliseconds))) {
                let text = "no token within \(self.deadlineMilliseconds) ms"
                self.end(.failed(ProviderError(.timeout, provider: call.provider, message: text)))
            }
            // Before the bytes move: the time to first token includes the connection.
            events(.requested)
            send(call)
        }
    }

    private func send(_ call: GenerationCall) {
        guard events != nil else { return }
        attempt += 1
        let current = attempt
        decoder = call.makeDecoder()
        failedHead = nil
        failedBody = ByteBuffer()
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        exchange = client.send(call.request, on: eventLoop) { bound.value.received($0, call, attempt: current) }
    }

    private func received(_ event: HTTPEvent, _ call: GenerationCall, attempt: Int) {
        guard events != nil, attempt == self.attempt else { return }
        switch event {
        case .head(let head): if head.status != 200 { failedHead = head }
        case .body(let bytes): received(bytes, call)
        case .failed(let error): failed(HTTPFailure.error(error, provider: call.provider), call)
        case .finished:
            if let failedHead { return failed(call.explain(failedHead, failedBody), call) }
            decode(call) { decoder, emit throws(ProviderError) in try decoder.end(emit) }
        }
    }

    private func received(_ bytes: ByteBuffer, _ call: GenerationCall) {
        guard failedHead == nil else {
            var bytes = bytes
            if failedBody.readableBytes < Self.maximumErrorBytes { failedBody.writeBuffer(&bytes) }
            return
        }
        decode(call) { decoder, emit throws(ProviderError) in try decoder.decode(bytes, emit) }
    }

    private func decode(
        _ call: GenerationCall,
        _ body: (inout any GenerationDecoder, (GenerationEvent) -> Void) throws(ProviderError) -> Void
    ) {
        guard var decoder else { return }
        self.decoder = nil  // so that the decoder's buffers are not shared while it works
        do throws(ProviderError) {
            try body(&decoder) { self.emit($0) }
            self.decoder = decoder
        } catch { failed(error, call) }
    }

    private func emit(_ event: GenerationEvent) {
        switch event {
        case .finished, .failed: return end(event)
        default: break
        }
        if !hasOutput {
            hasOutput = true
            deadline?.cancel()
        }
        events?(event)
    }

    private func failed(_ error: ProviderError, _ call: GenerationCall) {
        failures += 1
        guard !hasOutput, let delay = retry.delay(after: error, failures: failures) else { return end(.failed(error)) }
        exchange?.cancel()
        attempt += 1  // whatever the old exchange still says is stale
        retryTimer = eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(Int64(delay))) { self.send(call) }
    }

    private func end(_ event: GenerationEvent) {
        let events = self.events
        self.events = nil
        stop()
        events?(event)
    }

    private func stop() {
        exchange?.cancel()
        exchange = nil
        deadline?.cancel()
        retryTimer?.cancel()
    }
}

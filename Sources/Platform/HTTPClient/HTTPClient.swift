package import NIOCore
import Synchronization

/// An HTTP/1.1 and HTTP/2 client on libcurl, which runs on one thread of its own.
///
/// One per process is meant: connections are pooled in it, per host, and kept warm. Responses stream to the caller's event loop
/// through one ordered hop.
package final class HTTPClient: Sendable {
    private let engine: CurlEngine
    private let nextID = Atomic<UInt64>(1)

    /// The process's client. Never shut down.
    package static let shared = HTTPClient()

    /// `maximumConnections`: idle and busy, over all hosts; the oldest idle ones go first. `certificates`: a PEM file instead of the
    /// system's trust roots.
    package init(maximumConnections: Int = 256, certificates: String? = nil) {
        engine = CurlEngine(maximumConnections: maximumConnections, certificates: certificates)
        engine.start()
    }

    /// Starts an exchange and returns at once. Events are delivered on `eventLoop`, in order, never from inside this call, and end
    /// with `finished` or `failed`.
    @discardableResult
    package func send(
        _ request: HTTPRequest, on eventLoop: any EventLoop, events: @escaping @Sendable (HTTPEvent) -> Void
    ) -> HTTPExchange {
        let id = nextID.wrappingAdd(1, ordering: .relaxed).oldValue
        let exchange = HTTPExchange(id: id, eventLoop: eventLoop, engine: engine, events: events)
        engine.post(.start(request, exchange))
        return exchange
    }

    /// The whole response. Cancelling the task ends the exchange.
    package func send(
        _ request: HTTPRequest, on eventLoop: any EventLoop, maximumBodyBytes: Int = 1 << 20
    ) async throws(HTTPClientError) -> HTTPResponse {
        let collector = HTTPCollector(maximumBodyBytes: maximumBodyBytes, place: request.place)
        let result: Result<HTTPResponse, HTTPClientError> = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                collector.start(continuation) { self.send(request, on: eventLoop) { collector.received($0) } }
            }
        } onCancel: {
            collector.cancel()
        }
        return try result.get()
    }

    /// Ends all exchanges with `shutDown` and closes all connections; for clients other than the shared one.
    package func shutDown() { engine.post(.shutDown) }
}

/// Gathers a response for the `async` form of `send`.
final class HTTPCollector: Sendable {
    private struct State {
        var continuation: CheckedContinuation<Result<HTTPResponse, HTTPClientError>, Never>?
        var exchange: HTTPExchange?
        var head = HTTPHead(status: 0)
        var body = ByteBuffer()
        var isCancelled = false
    }

    private let maximumBodyBytes: Int
    private let place: String
    private let state = Mutex(State())

    init(maximumBodyBytes: Int, place: String) {
        self.maximumBodyBytes = maximumBodyBytes
        self.place = place
    }

    func start(
        _ continuation: CheckedContinuation<Result<HTTPResponse, HTTPClientError>, Never>, _ send: () -> HTTPExchange
    ) {
        let isCancelled = state.withLock { state in
            state.continuation = continuation
            return state.isCancelled
        }
        if isCancelled { return cancel() }
        let exchange = send()
        let cancelledMeanwhile = state.withLock { state in
            state.exchange = exchange
            return state.isCancelled
        }
        if cancelledMeanwhile { exchange.cancel() }
    }

    func cancel() {
        let exchange = state.withLock { state in
            state.isCancelled = true
            return state.exchange
        }
        exchange?.cancel()
        finish(.failure(HTTPClientError(.connectionLost, "the request to \(place) was cancelled")))
    }

    func received(_ event: HTTPEvent) {
        switch event {
        case .head(let head): state.withLock { $0.head = head }
        case .body(var data):
            let size = state.withLock { state in
                state.body.writeBuffer(&data)
                return state.body.readableBytes
            }
            guard size > maximumBodyBytes else { return }
            state.withLock { $0.exchange }?.cancel()
            finish(.failure(HTTPClientError(.tooLarge, "\(place) answered with more than \(maximumBodyBytes) bytes")))
        case .finished: finish(.success(state.withLock { HTTPResponse(head: $0.head, body: $0.body) }))
        case .failed(let error): finish(.failure(error))
        }
    }

    private func finish(_ result: Result<HTTPResponse, HTTPClientError>) {
        let continuation = state.withLock { state in
            defer { state.continuation = nil }
            return state.continuation
        }
        continuation?.resume(returning: result)
    }
}

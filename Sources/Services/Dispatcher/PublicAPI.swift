import Foundation
import HTTPTypes
package import Hummingbird
import HummingbirdCore
import Logging
package import NIOCore

/// The public HTTP API of the dispatcher.
package enum PublicAPI {
    /// Longest body of a request.
    static let maximumBody = 64 << 10

    package static func router(_ core: DispatcherCore) -> Router<PublicRequestContext> {
        let router = Router(context: PublicRequestContext.self)
        router.add(middleware: UnroutedRequests())
        router.post("/v1/connect") { request, context in await answer(core) { try await connect(request, context, core) } }
        router.get("/v1/agents") { request, context in await answer(core) { try await agents(request, context, core) } }
        BackendAPI.add(to: router, core)
        for path in core.backends.webSocketPaths {
            router.get(.init(path)) { _, _ in
                refusal(AdmissionError(.badRequest, "this is where WebSockets connect: send 'Upgrade: websocket'"), status: 426)
            }
        }
        router.get("/") { _, _ in
            json(.ok, ["service": "parley", "connect": "POST /v1/connect", "websocket": "/v1/ws?token=", "sessions": "POST /v1/sessions", "backends": "GET /v1/backends"])
        }
        return router
    }

    private struct ConnectRequest: Decodable {
        var agent: String
        var parameters: [String: String]?
    }

    /// `POST /v1/connect {"agent": "...", "parameters": {...}}` with an API key: a token for one WebSocket connection.
    private static func connect(
        _ request: Request, _ context: PublicRequestContext, _ core: DispatcherCore
    ) async throws -> Response {
        _ = try await authenticate(request, context, core)
        let buffer: ByteBuffer
        do { buffer = try await request.body.collect(upTo: maximumBody) } catch {
            throw AdmissionError(.badRequest, "the body is larger than \(maximumBody) bytes")
        }
        let body: ConnectRequest
        do { body = try JSONDecoder().decode(ConnectRequest.self, from: Data(buffer.readableBytesView)) } catch {
            throw AdmissionError(
                .badRequest, #"the body must be JSON like {"agent": "lead-qualification", "parameters": {}}"#)
        }
        let token = try await core.admission.connect(
            key: bearer(request), agent: body.agent, parameters: body.parameters ?? [:])
        let host = request.head.authority ?? "localhost"
        let urls = core.backends.webSocketPaths.map { "ws://\(host)\($0)?token=\(token)" }
        return json(.ok, ["token": token, "url": "ws://\(host)/v1/ws?token=\(token)", "urls": urls, "expires_in_seconds": 60])
    }

    private static func agents(
        _ request: Request, _ context: PublicRequestContext, _ core: DispatcherCore
    ) async throws -> Response {
        let holder = try await authenticate(request, context, core)
        let agents = core.admission.directory.agents(of: holder.tenant).map { ["name": $0.name, "hash": $0.hash] }
        return json(.ok, ["agents": agents])
    }

    /// Who asks; counts the request for the limits.
    static func authenticate(
        _ request: Request, _ context: PublicRequestContext, _ core: DispatcherCore
    ) async throws -> KeyHolder {
        let forwarded = request.headers.filter { $0.name.canonicalName == "x-forwarded-for" }.map(\.value)
        let address = CallerAddress.of(context.remoteAddress, forwarded: forwarded, trusted: core.trustedProxies)
        return try await core.admission.authenticate(key: bearer(request), address: address)
    }

    private static func bearer(_ request: Request) -> String? {
        request.headers[.authorization].flatMap { $0.lowercased().hasPrefix("bearer ") ? String($0.dropFirst(7)) : nil }
    }

    /// Every failure is a JSON object with a code and a message that says what to do.
    static func answer(_ core: DispatcherCore, _ body: () async throws -> Response) async -> Response {
        do {
            return try await body()
        } catch let error as AdmissionError {
            return refusal(error)
        } catch {
            core.logger.error("request failed", metadata: ["error": "\(error)"])
            return refusal(.unavailable)
        }
    }

    private static func refusal(_ error: AdmissionError, status: Int? = nil) -> Response {
        var response = problem(.init(code: status ?? error.status), error.code.rawValue, error.message)
        if error.status == 503 || error.status == 429 {
            response.headers[.retryAfter] = "\(error.retryAfterSeconds ?? AdmissionError.retrySeconds)"
        }
        return response
    }

    static func problem(_ status: HTTPResponse.Status, _ code: String, _ message: String) -> Response {
        json(status, ["error": ["code": code, "message": message]])
    }

    static func json(_ status: HTTPResponse.Status, _ object: [String: Any]) -> Response {
        // Texts, numbers and dictionaries of them always serialise.
        let data =
            (try? JSONSerialization.data(withJSONObject: object, options: [.sortedKeys, .withoutEscapingSlashes]))
            ?? Data()
        return Response(
            status: status, headers: [.contentType: "application/json"],
            body: .init(byteBuffer: ByteBuffer(bytes: data)))
    }
}

/// A request with where it came from.
package struct PublicRequestContext: RequestContext {
    package var coreContext: CoreRequestContextStorage
    /// The other end of the socket: the caller, or a proxy in front of it.
    package let remoteAddress: SocketAddress?

    package init(source: ApplicationRequestContextSource) {
        coreContext = .init(source: source)
        remoteAddress = source.channel.remoteAddress
    }
}

/// Requests that no route takes are told what there is.
private struct UnroutedRequests: RouterMiddleware {
    private static let methods = ["/v1/connect": "POST", "/v1/agents": "GET", "/v1/backends": "GET", "/v1/sessions": "POST", "/": "GET"]

    @concurrent
    func handle(
        _ request: Request, context: PublicRequestContext,
        next: @concurrent (Request, PublicRequestContext) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch let error as HTTPError where error.status == .notFound {
            guard let method = Self.methods[request.uri.path] else {
                return PublicAPI.problem(.notFound, "not_found", "there is no '\(request.uri.path)'; see GET /")
            }
            var response = PublicAPI.problem(.methodNotAllowed, "wrong_method", "'\(request.uri.path)' takes \(method)")
            response.headers[.allow] = method
            return response
        }
    }
}

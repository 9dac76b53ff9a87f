import BackendKit
import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdCore
import NIOCore

/// The part of the public API that is about backends.
enum BackendAPI {
    static func add(to router: Router<PublicRequestContext>, _ core: DispatcherCore) {
        router.get("/v1/backends") { request, context in await PublicAPI.answer(core) { try await list(request, context, core) } }
        router.post("/v1/sessions") { request, context in await PublicAPI.answer(core) { try await start(request, context, core) } }
        router.delete("/v1/sessions/:session") { request, context in
            await PublicAPI.answer(core) { try await end(request, context, core) }
        }
        for method in [HTTPRequest.Method.get, .post] {
            router.on("/v1/backends/:name/**", method: method) { request, context in
                await PublicAPI.answer(core) { try await pass(request, context, core) }
            }
        }
    }

    /// What there is, what it can do, how it is configured, and whether it can take calls.
    private static func list(
        _ request: Request, _ context: PublicRequestContext, _ core: DispatcherCore
    ) async throws -> Response {
        _ = try await PublicAPI.authenticate(request, context, core)
        var backends: [[String: Any]] = []
        for entry in core.backends.all {
            var backend: [String: Any] = [
                "name": entry.backend.name, "capabilities": entry.backend.capabilities.byName, "options": options(of: entry.backend),
                "websocket_paths": entry.admission.webSocketPaths,
            ]
            switch await entry.admission.health() {
            case .ready: backend["health"] = "ready"
            case .unavailable(let reason):
                backend["health"] = "unavailable"
                backend["reason"] = reason
            }
            backends.append(backend)
        }
        return PublicAPI.json(.ok, ["backends": backends])
    }

    /// What agent files may set.
    private static func options(of backend: any VoiceBackend) -> [[String: Any]] {
        backend.fields.filter { $0.source == .agent }.map { field in
            var option: [String: Any] = ["name": field.name, "allowed": field.allowed, "help": field.help]
            if let standard = field.defaultText { option["default"] = standard }
            return option
        }
    }

    /// `POST /v1/sessions {"backend": "livekit", "agent": "...", "room": "...", "parameters": {...}}` with an API key.
    private static func start(
        _ request: Request, _ context: PublicRequestContext, _ core: DispatcherCore
    ) async throws -> Response {
        let holder = try await PublicAPI.authenticate(request, context, core)
        guard !core.isDraining else { throw AdmissionError(.draining, "this dispatcher is shutting down, ask again") }
        let body = try await object(request)
        guard let backend = body["backend"] as? String, let agent = body["agent"] as? String else {
            throw AdmissionError(.badRequest, #"the body must be JSON like {"backend": "livekit", "agent": "lead-qualification", "room": "demo"}"#)
        }
        guard let entry = core.backends[backend] else {
            let known = core.backends.all.map(\.backend.name).joined(separator: ", ")
            throw AdmissionError(.badRequest, "there is no backend '\(backend)'; there are: \(known)")
        }
        var options: [String: String] = [:]
        for (name, value) in body where !["backend", "agent", "parameters"].contains(name) {
            guard let text = value as? String else { throw AdmissionError(.badRequest, "'\(name)' must be a text") }
            options[name] = text
        }
        guard let parameters = (body["parameters"] ?? [String: String]()) as? [String: String] else {
            throw AdmissionError(.badRequest, "'parameters' must be an object of texts")
        }
        do {
            let identity = CallerIdentity(tenant: holder.tenant, agent: agent, key: holder.key, parameters: parameters)
            try await entry.admission.authorise(identity, agent: agent)
            let grant = try await entry.admission.prepare(.init(tenant: holder.tenant, agent: agent, options: options))
            let call = RoomCall(tenant: holder.tenant, agent: agent, parameters: parameters, grant: grant)
            let session = try await core.rooms.start(call, backend: backend, by: core) { _ in }
            return PublicAPI.json(.created, ["session": session, "backend": backend, "where": grant.description])
        } catch let refusal as BackendRefusal {
            throw AdmissionError(refusal)
        }
    }

    private static func end(
        _ request: Request, _ context: PublicRequestContext, _ core: DispatcherCore
    ) async throws -> Response {
        let holder = try await PublicAPI.authenticate(request, context, core)
        let session = try context.parameters.require("session")
        guard core.rooms.end(session, of: holder.tenant, reason: "ended by the API") else {
            throw AdmissionError(.sessionOver, "this dispatcher takes care of no session '\(session)' in a room; perhaps another one does, or it is over")
        }
        return PublicAPI.json(.accepted, ["session": session])
    }

    /// A request for the backend itself: a webhook mostly. It authenticates its sender.
    private static func pass(
        _ request: Request, _ context: PublicRequestContext, _ core: DispatcherCore
    ) async throws -> Response {
        let name = try context.parameters.require("name")
        let prefix = "/v1/backends/\(name)"
        let path = String(request.uri.path.dropFirst(prefix.count))
        guard let entry = core.backends[name] else {
            return PublicAPI.problem(.notFound, "not_found", "there is no backend '\(name)'; see GET /v1/backends")
        }
        let forwarded = request.headers.filter { $0.name.canonicalName == "x-forwarded-for" }.map(\.value)
        let address = CallerAddress.of(context.remoteAddress, forwarded: forwarded, trusted: core.trustedProxies)
        let body: ByteBuffer
        do { body = try await request.body.collect(upTo: PublicAPI.maximumBody) } catch {
            throw AdmissionError(.badRequest, "the body is larger than \(PublicAPI.maximumBody) bytes")
        }
        let passed = BackendRequest(
            method: request.method.rawValue, path: path,
            query: Dictionary(request.uri.queryParameters.map { (String($0.key), String($0.value)) }) { $1 },
            headers: Dictionary(request.headers.map { ($0.name.canonicalName, $0.value) }) { $1 }, body: body, address: address)
        guard let answer = await entry.admission.receive(passed) else {
            return PublicAPI.problem(.notFound, "not_found", "the backend '\(name)' has no '\(path)'")
        }
        return Response(
            status: .init(code: answer.status), headers: [.contentType: answer.contentType], body: .init(byteBuffer: answer.body))
    }

    private static func object(_ request: Request) async throws -> [String: Any] {
        let buffer: ByteBuffer
        do { buffer = try await request.body.collect(upTo: PublicAPI.maximumBody) } catch {
            throw AdmissionError(.badRequest, "the body is larger than \(PublicAPI.maximumBody) bytes")
        }
        guard let object = (try? JSONSerialization.jsonObject(with: Data(buffer.readableBytesView))) as? [String: Any] else {
            throw AdmissionError(.badRequest, "the body must be a JSON object")
        }
        return object
    }
}

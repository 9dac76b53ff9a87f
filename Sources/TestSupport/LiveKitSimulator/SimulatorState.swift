import LiveKitProtocol
import NIOCore
import SimulatedHTTP
import Synchronization
import WireCoding

/// What the connections of a simulator share: its rooms, and how requests reach them.
final class SimulatorState: Sendable {
    private struct Shared {
        var rooms: SimulatedRooms
        var faults: [LiveKitSimulator.Fault] = []
        var calls: [LiveKitSimulator.Call] = []
        var told: (@Sendable (SimulatedRooms.News) -> Void)?
    }

    private static let maximumCalls = 1_000
    private static let prefix = "/twirp/livekit."

    let now: @Sendable () -> Int64
    private let credentials: LiveKitCredentials
    private let shared: Mutex<Shared>

    init(_ credentials: LiveKitCredentials, now: @escaping @Sendable () -> Int64) {
        self.credentials = credentials
        self.now = now
        shared = Mutex(Shared(rooms: SimulatedRooms(now: now)))
    }

    var calls: [LiveKitSimulator.Call] { shared.withLock { $0.calls } }

    func play(_ faults: [LiveKitSimulator.Fault]) { shared.withLock { $0.faults += faults } }

    func onNews(_ told: @escaping @Sendable (SimulatedRooms.News) -> Void) { shared.withLock { $0.told = told } }

    /// Whoever listens hears the news afterwards, and may come back for the rooms.
    func withRooms<Result: Sendable>(_ body: (inout SimulatedRooms) throws -> Result) rethrows -> Result {
        let (result, told, news) = try shared.withLock { shared in
            let result = try body(&shared.rooms)
            defer { shared.rooms.news = [] }
            return (result, shared.told, shared.rooms.news)
        }
        if let told { news.forEach(told) }
        return result
    }

    // MARK: Requests

    func serve(_ request: SimulatedRequest, _ exchange: SimulatedExchange) {
        if let fault = nextFault(request) { return play(fault, exchange) }
        guard request.path.hasPrefix(Self.prefix) else {
            let isRoot = request.path == "/"
            return exchange.answer(
                SimulatedAnswer(
                    isRoot ? 200 : 404, isRoot ? "OK" : "404 page not found\n", type: "text/plain; charset=utf-8"))
        }
        let name = String(request.path.dropFirst(Self.prefix.count))
        let token: LiveKitAccessToken?
        do throws(TokenRefusal) { token = try authenticate(request) } catch {
            note(name, nil)
            return exchange.answer(SimulatedAnswer(401, error.message, type: "text/plain; charset=utf-8"))
        }
        note(name, token)
        do {
            let (type, body) = try run(name, request, token)
            exchange.start(200, [("content-type", type), ("content-length", "\(body.count)")])
            exchange.write(ByteBuffer(bytes: body))
            exchange.end()
        } catch {
            exchange.answer(Self.answer(error as? TwirpFailure ?? TwirpFailure("internal", "\(error)")))
        }
    }

    private func run(_ name: String, _ request: SimulatedRequest, _ token: LiveKitAccessToken?) throws -> (
        String, [UInt8]
    ) {
        let type = request.header("content-type")?.prefix { $0 != ";" } ?? ""
        func badRoute(_ message: String) -> TwirpFailure {
            TwirpFailure("bad_route", message, ["twirp_invalid_route": "\(request.method) \(request.path)"])
        }
        guard request.method == "POST" else {
            throw badRoute("unsupported method \"\(request.method)\" (only POST is allowed)")
        }
        guard let procedure = SimulatedProcedure.all[name] else {
            throw badRoute("no handler for path \"\(request.path)\"")
        }
        guard type == "application/protobuf" || type == "application/json" else {
            throw badRoute("unexpected Content-Type: \"\(type)\"")
        }
        guard let token else { throw TwirpFailure.denied }
        return (String(type), try withRooms { try procedure.run(request.body, type == "application/json", token, &$0) })
    }

    private struct TokenRefusal: Error {
        var message: String
    }

    /// Nil without a token: then the procedure refuses. What is no valid token never gets as far.
    private func authenticate(_ request: SimulatedRequest) throws(TokenRefusal) -> LiveKitAccessToken? {
        let text: String
        if let header = request.header("authorization") {
            guard header.hasPrefix("Bearer ") else {
                throw TokenRefusal(message: "invalid authorization header. Must start with Bearer ")
            }
            text = String(header.dropFirst("Bearer ".count))
        } else if let parameter = request.first("access_token") {
            text = parameter
        } else {
            return nil
        }
        do { return try LiveKitAccessToken.verify(text, credentials: credentials, now: now()) } catch {
            switch (error as? LiveKitError)?.code {
            case .wrongKey?: throw TokenRefusal(message: "invalid API key: \(error)")
            // The server quotes the token.
            case .badSignature?, .expiredToken?, .prematureToken?:
                throw TokenRefusal(message: "invalid token: \(text), error: \(error)")
            default: throw TokenRefusal(message: "invalid authorization token")
            }
        }
    }

    // MARK: Faults and errors

    private func nextFault(_ request: SimulatedRequest) -> LiveKitSimulator.Fault? {
        shared.withLock { $0.faults.isEmpty ? nil : $0.faults.removeFirst() }
    }

    private func play(_ fault: LiveKitSimulator.Fault, _ exchange: SimulatedExchange) {
        switch fault {
        case .unavailable: exchange.answer(Self.answer(TwirpFailure("unavailable", "the node is going away")))
        case .page(let status): exchange.answer(SimulatedAnswer(status, "<html>\nIt works!</html>", type: "text/html"))
        case .garbage: exchange.answer(SimulatedAnswer(200, "\u{7F}\u{7F}\u{7F}", type: "application/protobuf"))
        case .reset: exchange.reset()
        case .silence: break
        }
    }

    private func note(_ name: String, _ token: LiveKitAccessToken?) {
        shared.withLock { shared in
            if shared.calls.count == Self.maximumCalls { shared.calls.removeFirst() }
            shared.calls.append(LiveKitSimulator.Call(procedure: name, token: token))
        }
    }

    private static func answer(_ failure: TwirpFailure) -> SimulatedAnswer {
        .json(failure.status) { json in
            json.member("code", failure.code)
            json.member("msg", failure.message)
            if !failure.metadata.isEmpty {
                json.memberObject("meta") { json in failure.metadata.forEach { json.member($0, $1) } }
            }
        }
    }
}

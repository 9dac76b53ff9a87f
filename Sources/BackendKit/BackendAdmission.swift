public import NIOCore

/// The admission half of a backend: lets callers in, in the dispatcher. What a backend does not do itself, the dispatcher does as for all.
public protocol BackendAdmission: Sendable {
    /// Where its callers connect with WebSockets; empty for a backend whose callers go elsewhere.
    var webSocketPaths: [String] { get }
    /// Tells a WebSocket caller why it is cut off before a worker has its call.
    func fatal(_ message: String) -> WireMessage?
    /// Tells a WebSocket caller its place in the line, from 1.
    func waiting(position: Int) -> WireMessage?

    /// Who calls; nil: the dispatcher looks at connect tokens and API keys itself.
    ///
    /// - Throws: `BackendRefusal`
    func authenticate(_ request: BackendRequest) async throws -> CallerIdentity?
    /// Whether this caller may talk to this agent. All may, unless it throws.
    ///
    /// - Throws: `BackendRefusal`
    func authorise(_ identity: CallerIdentity, agent: String) async throws
    /// Counts an attempt against limits of the backend's own; false: the dispatcher's limits count it.
    ///
    /// - Throws: `BackendRefusal` for one too many
    func limit(_ request: BackendRequest) async throws -> Bool
    /// How long what is said is kept, and what is taken out of it before.
    var privacy: BackendPrivacy { get }

    /// A session that somebody asks for with `POST /v1/sessions`: what the media half needs.
    ///
    /// - Throws: `BackendRefusal`
    func prepare(_ request: SessionRequest) async throws -> RoomGrant
    /// A request below `/v1/backends/<name>/`, a webhook mostly; nil: there is no such path.
    func receive(_ request: BackendRequest) async -> BackendResponse?
    func health() async -> BackendHealth
    /// What is shown among the dispatcher's metrics, read whenever they are.
    var figures: [BackendFigure] { get }
    /// Works in the background until cancelled, and starts sessions by `host`.
    func run(_ host: any AdmissionHost) async
    /// The dispatcher ends. Returns when all sessions that were promised to somebody are started; `run` is cancelled then, or when the
    /// dispatcher's time is over. Sessions that are promised from now on may be lost.
    func drain() async
    /// A session in a room was closed because no worker had it for too long: what it held there is let go of, unless somebody is there after all.
    /// Called once, one session after the other; not when the dispatcher ends before. `handshake` is that of its `RoomGrant`.
    func abandoned(_ handshake: [UInt8]) async
}

extension BackendAdmission {
    public var webSocketPaths: [String] { [] }
    public func fatal(_ message: String) -> WireMessage? { nil }
    public func waiting(position: Int) -> WireMessage? { nil }
    public func authenticate(_ request: BackendRequest) async throws -> CallerIdentity? { nil }
    public func authorise(_ identity: CallerIdentity, agent: String) async throws {}
    public func limit(_ request: BackendRequest) async throws -> Bool { false }
    public var privacy: BackendPrivacy { BackendPrivacy() }
    public func prepare(_ request: SessionRequest) async throws -> RoomGrant {
        throw BackendRefusal(.badRequest, "sessions of this backend begin when a caller connects, not by POST /v1/sessions")
    }
    public func receive(_ request: BackendRequest) async -> BackendResponse? { nil }
    public func health() async -> BackendHealth { .ready }
    public var figures: [BackendFigure] { [] }
    public func run(_ host: any AdmissionHost) async {}
    public func drain() async {}
    public func abandoned(_ handshake: [UInt8]) async {}
}

/// An HTTP request, or the one that a WebSocket began with.
public struct BackendRequest: Sendable, Hashable {
    public var method: String
    /// For `receive`, what follows `/v1/backends/<name>`: `/webhook`.
    public var path: String
    public var query: [String: String]
    /// By lower-case name; the last one counts where a name is repeated.
    public var headers: [String: String]
    public var body: ByteBuffer
    /// The other end of the connection, behind trusted proxies.
    public var address: String

    public init(method: String, path: String, query: [String: String], headers: [String: String], body: ByteBuffer = .init(), address: String) {
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self.body = body
        self.address = address
    }
}

public struct BackendResponse: Sendable, Hashable {
    public var status: Int
    public var contentType: String
    public var body: ByteBuffer

    public init(status: Int, contentType: String = "application/json", body: ByteBuffer = .init()) {
        self.status = status
        self.contentType = contentType
        self.body = body
    }
}

/// Who calls, as the backend has found out.
public struct CallerIdentity: Sendable, Hashable {
    public var tenant: String
    /// The agent, where the credential names it; else the request does.
    public var agent: String?
    /// What limits count by, such as the id of an API key.
    public var key: String?
    public var parameters: [String: String]

    public init(tenant: String, agent: String? = nil, key: String? = nil, parameters: [String: String] = [:]) {
        self.tenant = tenant
        self.agent = agent
        self.key = key
        self.parameters = parameters
    }
}

/// What becomes of the words of a backend's callers. Taken into the session log when a session is opened.
public struct BackendPrivacy: Sendable, Hashable {
    /// Name of a redaction of the session store that is applied before anything is stored; empty: the store's own.
    public var redaction: String
    /// Transcripts are deleted after so many days; 0: the tenant's retention.
    public var retentionDays: Int

    public init(redaction: String = "", retentionDays: Int = 0) {
        self.redaction = redaction
        self.retentionDays = retentionDays
    }
}

/// A session that is asked for by the API.
public struct SessionRequest: Sendable, Hashable {
    public var tenant: String
    public var agent: String
    /// Fields of the request that the dispatcher does not know, such as `room`.
    public var options: [String: String]

    public init(tenant: String, agent: String, options: [String: String]) {
        self.tenant = tenant
        self.agent = agent
        self.options = options
    }
}

/// Where a session takes place.
public struct RoomGrant: Sendable, Hashable {
    /// For the media half, and for whoever takes the session over; no secrets, since it is stored with the session.
    public var handshake: [UInt8]
    /// For people.
    public var description: String

    public init(handshake: [UInt8], description: String) {
        self.handshake = handshake
        self.description = description
    }
}

/// A session to be started in a room.
public struct RoomCall: Sendable, Hashable {
    public var tenant: String
    public var agent: String
    public var parameters: [String: String]
    public var grant: RoomGrant

    public init(tenant: String, agent: String, parameters: [String: String] = [:], grant: RoomGrant) {
        self.tenant = tenant
        self.agent = agent
        self.parameters = parameters
        self.grant = grant
    }
}

/// What the dispatcher does for the admission half of a backend.
public protocol AdmissionHost: Sendable {
    /// Starts a session in a room; returns its id when a worker has it. `ended` is called once, on any thread, when the session is over, with
    /// what went wrong where something did; it is not called when this throws or when this dispatcher ends before.
    ///
    /// - Throws: `BackendRefusal`
    func start(_ call: RoomCall, ended: @escaping @Sendable (_ problem: String?) -> Void) async throws -> String
    /// Ends a session of this backend, with a reason for its log.
    func end(_ session: String, of tenant: String, reason: String) async
    /// Free and whole capacity of the workers that serve this backend, in sessions of weight 1.
    func capacity() async -> (free: Double, total: Double)
    /// No new sessions are taken.
    var isDraining: Bool { get }
}

/// Whether a backend can take calls.
public enum BackendHealth: Sendable, Hashable {
    case ready
    /// Why not, and what to do.
    case unavailable(String)
}

/// Why a caller is not let in.
public struct BackendRefusal: Error, Sendable, Hashable, CustomStringConvertible {
    public enum Code: String, Sendable, Hashable {
        case missingCredentials, badCredentials, forbidden, unknownAgent, badRequest, rateLimited, full, unavailable
    }

    public var code: Code
    /// What was wrong and what to do; goes to the caller and to the log. Without secrets.
    public var message: String

    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    public var description: String { message }
}

public import Logging
public import NIOCore

/// The media half of a backend whose sessions take place somewhere else, in a room that the worker joins itself. No relay keeps the caller's
/// audio there, and no dispatcher is needed while the conversation goes on.
public protocol RoomMedia: Sendable {
    /// Begins to join; what comes of it is told to `session`. Called on `eventLoop`, and so is everything of the port.
    ///
    /// The port must leave the room when it is told to `end`, or when it is let go of by `evicted` or `failed`.
    func join(_ request: RoomRequest, on eventLoop: any EventLoop, session: any RoomSession) -> any MediaPort
    /// Why no room can be joined now, for the worker's health; nil while all is well.
    var problem: String? { get }
    /// Called back once, on any thread, if the backend breaks for good in this process: the worker gives its sessions away then.
    func whenBroken(_ handler: @escaping @Sendable (String) -> Void)
    /// What is shown among the worker's metrics, read whenever they are.
    var figures: [BackendFigure] { get }
    /// The process ends; no room is open any more.
    func close()
}

extension RoomMedia {
    public func close() {}
    public var figures: [BackendFigure] { [] }
}

/// A room to join for a session.
public struct RoomRequest: Sendable {
    public var session: String
    public var tenant: String
    /// Name of the agent.
    public var agent: String
    /// What admission wrote for the media half, or what an earlier owner's `MediaPort.client` said since.
    public var handshake: [UInt8]
    /// The settings, with the agent's options.
    public var settings: BackendSettings
    /// Another owner was there before: whoever is still there under the same name must go.
    public var isTakeover: Bool
    public var logger: Logger

    public init(
        session: String, tenant: String, agent: String, handshake: [UInt8], settings: BackendSettings, isTakeover: Bool, logger: Logger
    ) {
        self.session = session
        self.tenant = tenant
        self.agent = agent
        self.handshake = handshake
        self.settings = settings
        self.isTakeover = isTakeover
        self.logger = logger
    }
}

/// What a room tells its session; on the session's event loop.
public protocol RoomSession: AnyObject, Sendable {
    /// Audio of the caller: PCM16 little-endian of any rate and channel count. `arrival`: monotonic nanoseconds.
    func callerAudio(_ bytes: ByteBuffer, sampleRate: Int, channels: Int, arrival nanoseconds: Int64)
    /// What the caller said while nobody could hear it, before what is live: it goes through as fast as it can. `keptAudioEnded` follows its last
    /// piece at once.
    func keptAudio(_ bytes: ByteBuffer, sampleRate: Int, channels: Int)
    func keptAudioEnded()
    func receive(_ input: ClientInput)
    /// The caller's connection is lost and may come back; the agent stands still meanwhile.
    func callerAway(_ reason: String)
    func callerBack()
    /// The caller is gone for good.
    func callerLeft(_ reason: String)
    /// Somebody else is there in this session's name: it has another owner. Nothing more may be written or said.
    func evicted(_ reason: String)
    /// The room cannot be joined, or is lost. `isFinal`: nobody else needs to try, as when the room was closed.
    func failed(_ reason: String, isFinal: Bool)
}

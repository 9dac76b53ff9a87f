public import Logging

/// A way for callers to reach agents: WebSockets with a wire format of their own, rooms of a conference server, telephony.
///
/// A backend is registered by name in the programs that link it. It has two halves: admission, in the dispatcher, lets callers in; media, in
/// the worker, carries what is said. Both are made from the same settings, which are checked before either exists.
public protocol VoiceBackend: Sendable {
    /// Lower-case letters, digits and dashes; unique. Agent files, session logs and the API use it.
    var name: String { get }
    var capabilities: BackendCapabilities { get }
    /// What can be configured: by the operator's variables, and in agent files under `backend:`.
    var fields: [BackendField] { get }
    /// The half that lets callers in. Called once in a dispatcher, with checked settings.
    ///
    /// - Throws: `BackendError` that names the field, for what only a look at several settings together shows
    func makeAdmission(_ settings: BackendSettings, logger: Logger) throws -> any BackendAdmission
    /// The half that carries media. Called once in a media worker, with checked settings.
    ///
    /// - Throws: `BackendError`; the worker then serves its other backends
    func makeMedia(_ settings: BackendSettings, logger: Logger) throws -> BackendMedia
}

/// What a backend can do. Shown by `GET /v1/backends` and `parley backends`.
public struct BackendCapabilities: OptionSet, Sendable, Hashable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// Audio goes on to a speech-to-speech model as it comes.
    public static let speechToSpeech = BackendCapabilities(rawValue: 1 << 0)
    /// More than one person may be in the conversation.
    public static let severalParticipants = BackendCapabilities(rawValue: 1 << 1)
    /// Callers can press keys.
    public static let dtmf = BackendCapabilities(rawValue: 1 << 2)
    /// A call can be transferred.
    public static let transfer = BackendCapabilities(rawValue: 1 << 3)
    /// The client's program and the agent can send each other messages.
    public static let dataMessages = BackendCapabilities(rawValue: 1 << 4)
    public static let video = BackendCapabilities(rawValue: 1 << 5)

    private static let names: [(BackendCapabilities, String)] = [
        (.speechToSpeech, "speech_to_speech"), (.severalParticipants, "several_participants"), (.dtmf, "dtmf"), (.transfer, "transfer"),
        (.dataMessages, "data_messages"), (.video, "video"),
    ]

    /// Every capability by name, and whether it is there.
    public var byName: [String: Bool] {
        Dictionary(uniqueKeysWithValues: Self.names.map { ($0.1, contains($0.0)) })
    }
}

/// The media half of a backend.
public enum BackendMedia: Sendable {
    /// The caller's WebSocket ends in a dispatcher, which passes its messages to the worker.
    case relayed(any RelayedMedia)
    /// The worker itself joins the place where the caller is.
    case room(any RoomMedia)
}

/// The media half of a backend whose callers come over WebSockets.
public protocol RelayedMedia: Sendable {
    /// The wire format for one client. `handshake`: what an earlier owner of the session knew of the client; empty for a new one.
    func makeCodec(handshake: [UInt8]) -> any ClientCodec
}

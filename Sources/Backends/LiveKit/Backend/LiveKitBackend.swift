package import BackendKit
import Cryptography
import Foundation
import LiveKitMedia
import LiveKitProtocol
package import Logging
import NIOPosix

/// LiveKit rooms: the worker joins the room where the caller is, with LiveKit's client library.
package struct LiveKitBackend: VoiceBackend {
    package init() {}

    package let name = "livekit"
    package let capabilities: BackendCapabilities = [.severalParticipants, .dtmf, .transfer, .dataMessages]
    package let fields: [BackendField] = [
        .init("url", .url(schemes: ["wss", "ws", "https", "http"]), from: .operator(variable: "LIVEKIT_URL"), default: nil, help: "The LiveKit server; required with the backend livekit."),
        .init("api_key", .text, from: .operator(variable: "LIVEKIT_API_KEY"), default: nil, help: "An API key of the LiveKit server; required with the backend livekit."),
        .init("api_secret", .secret, from: .operator(variable: "LIVEKIT_API_SECRET"), default: nil, help: "The secret of that API key; required with the backend livekit."),
        .init(
            "library", .text, from: .operator(variable: "PARLEY_LIVEKIT_LIB"), default: "",
            help: "Path of liblivekit_ffi.so, for media workers. Default: in the models' directory, where deploy/fetch-models puts it."),
        .init(
            "agents", .list, from: .operator(variable: "PARLEY_LIVEKIT_AGENTS"), default: "",
            help: "Agents that LiveKit may dispatch, as 'name=tenant/agent'; an empty name takes every room. Example: sales=acme/lead-qualification."),
        .init(
            "redaction", .choice(["", "digits"]), from: .operator(variable: "PARLEY_LIVEKIT_REDACTION"), default: "",
            help: "What is taken out of events of rooms before they are stored, beside the session store's own redaction."),
        .init(
            "retention_days", .integer(0...36_500), from: .operator(variable: "PARLEY_LIVEKIT_RETENTION_DAYS"), default: "0",
            help: "Transcripts of rooms are deleted after so many days; 0: the tenant's retention."),
        .init(
            "follow", .choice(["first", "active-speaker"]), from: .agent, default: "first",
            help: "Whom the agent listens to where several people are in the room."),
        .init("participant", .text, from: .agent, default: "", help: "The identity of the only person whom the agent listens to."),
    ]

    package func makeAdmission(_ settings: BackendSettings, logger: Logger) throws -> any BackendAdmission {
        try LiveKitAdmission(credentials: try credentials(settings), settings: settings, logger: logger)
    }

    package func makeMedia(_ settings: BackendSettings, logger: Logger) throws -> BackendMedia {
        let credentials = try credentials(settings)
        let path = settings.text("library").isEmpty ? Self.standardPath : settings.text("library")
        let library: LiveKitLibrary
        do { library = try LiveKitLibrary.open(path: path, logger: logger) } catch {
            throw BackendError(name, field: "PARLEY_LIVEKIT_LIB", error.message + "; deploy/fetch-models installs it")
        }
        return .room(
            LiveKitMedia(library: library, url: credentials.url.webSocket, telephony: .by(credentials)) { record, attributes in
                try AgentToken.make(record, attributes, credentials)
            })
    }

    private static var standardPath: String {
        (ProcessInfo.processInfo.environment["PARLEY_MODELS_DIR"] ?? ".local/models") + "/liblivekit_ffi.so"
    }

    private func credentials(_ settings: BackendSettings) throws -> LiveKitCredentials {
        do {
            return try LiveKitCredentials(
                url: settings.text("url"), apiKey: settings.text("api_key"), secret: Secret(settings.text("api_secret")))
        } catch { throw BackendError(name, field: "LIVEKIT_URL", "\(error)") }
    }
}

/// The token with which an agent joins a room.
enum AgentToken {
    /// The server refreshes the tokens of those who are connected.
    private static let lifetime = Duration.seconds(3_600)

    static func make(_ record: RoomGrantRecord, _ attributes: [String: String], _ credentials: LiveKitCredentials) throws -> String {
        var grant = LiveKitVideoGrant.join(record.room)
        grant.agent = true
        grant.canPublish = true
        grant.canSubscribe = true
        grant.canPublishData = true
        // Without it the attributes that frontends look at cannot be set, silently.
        grant.canUpdateOwnMetadata = true
        var token = LiveKitAccessToken(identity: record.identity, video: grant)
        token.name = record.name ?? "Agent"
        token.kind = .agent
        token.attributes = attributes
        return try token.signed(by: credentials, lifetime: lifetime, now: Int64(Date().timeIntervalSince1970 * 1_000))
    }
}

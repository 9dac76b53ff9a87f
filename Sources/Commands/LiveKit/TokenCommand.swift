import ArgumentParser
import LiveKitProtocol
import Telemetry
import WireCoding

/// `parley token`: lets somebody into a LiveKit room.
struct TokenCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token", abstract: "Makes a token with which somebody can join a LiveKit room.",
        discussion:
            "The room need not exist. With --agent an agent is asked into it when this participant creates it.\n\(LiveKitTarget.help)"
    )

    @Option(help: "The room to join.") var room: String
    @Option(help: "Who joins; a second participant of the same identity drives the first out.") var identity: String
    @Option(help: "The participant's name for people.") var name = ""
    @Option(help: "How long the token can be used to join, such as 10m or 6h.") var ttl = TimeArgument(.seconds(3600))
    @Option(help: "Ask the agent of this name into the room.") var agent: String?
    @Option(help: "Passed to that agent.") var agentMetadata = ""
    @Option(help: "The participant's metadata, which everybody in the room sees.") var metadata = ""
    @Flag(help: "Others neither see nor hear the participant.") var hidden = false
    @Flag(help: "The participant may not publish.") var noPublish = false
    @Flag(help: "The participant may not hear or see others.") var noSubscribe = false
    @OptionGroup var target: LiveKitTarget

    func validate() throws {
        if room.isEmpty { throw ValidationError("--room must not be empty.") }
        if identity.isEmpty { throw ValidationError("--identity must not be empty.") }
        if agent?.isEmpty == true {
            throw ValidationError("--agent must not be empty; leave it out for a room without an agent of its own.")
        }
        if agent == nil, !agentMetadata.isEmpty { throw ValidationError("--agent-metadata needs --agent.") }
    }

    func run() throws {
        let credentials = try target.credentials()
        let lifetime = ttl.duration
        let now = Timestamp.now()
        let text = try token.signed(by: credentials, lifetime: lifetime, now: now)
        guard target.json else { return print(text) }
        var json = JSONWriter()
        json.object { json in
            json.member("url", credentials.url.webSocket)
            json.member("token", text)
            json.member("room", room)
            json.member("identity", identity)
            json.member("expires", Timestamp.rfc3339(milliseconds: now + lifetime.components.seconds * 1000))
        }
        print(json.text)
    }

    private var token: LiveKitAccessToken {
        var video = LiveKitVideoGrant.join(room)
        video.hidden = hidden
        if noPublish { video.canPublish = false }
        if noSubscribe { video.canSubscribe = false }
        var token = LiveKitAccessToken(identity: identity, video: video)
        token.name = name
        token.metadata = metadata
        token.agents = agent.map { [LiveKitRoomAgentDispatch(agentName: $0, metadata: agentMetadata)] } ?? []
        return token
    }
}

import WireCoding

/// The claims as LiveKit names them (livekit/protocol, auth/grants.go).
extension LiveKitAccessToken {
    /// JSON; times in seconds since the epoch.
    func claims(issuer: String, from start: Int64, to end: Int64) -> String {
        var json = JSONWriter()
        json.object { json in
            json.member("iss", issuer)
            json.memberUnlessEmpty("sub", identity)
            json.member("nbf", Int(start))
            json.member("exp", Int(end))
            json.memberUnlessEmpty("name", name)
            json.memberUnlessEmpty("metadata", metadata)
            json.memberUnlessEmpty("attributes", attributes)
            json.memberUnlessEmpty("kind", kind == .standard ? "" : kind.rawValue)
            json.memberUnlessEmpty("sha256", sha256)
            if let video { json.memberObject("video") { video.write(to: &$0) } }
            if let sip { json.memberObject("sip") { sip.write(to: &$0) } }
            if !agents.isEmpty {
                json.memberObject("roomConfig") {
                    $0.memberArray("agents") { json in agents.forEach { $0.write(to: &json) } }
                }
            }
        }
        return json.text
    }

    /// What is missing has its default, what is not known is ignored.
    init(claims: JSONValue) {
        identity = claims["sub"].string ?? ""
        name = claims["name"].string ?? ""
        metadata = claims["metadata"].string ?? ""
        attributes = claims["attributes"].texts
        kind = claims["kind"].string.flatMap { Kind(rawValue: $0.lowercased()) } ?? .standard
        sha256 = claims["sha256"].string ?? ""
        video = claims["video"].isObject ? LiveKitVideoGrant(claims["video"]) : nil
        sip =
            claims["sip"].isObject
            ? LiveKitSIPGrant(admin: claims["sip"]["admin"].isTrue, call: claims["sip"]["call"].isTrue) : nil
        agents = claims["roomConfig"]["agents"].elements.map {
            LiveKitRoomAgentDispatch(
                agentName: $0["agentName"].string ?? "", metadata: $0["metadata"].string ?? "",
                attributes: $0["attributes"].texts)
        }
    }
}

extension LiveKitVideoGrant {
    fileprivate func write(to json: inout JSONWriter) {
        json.memberIfTrue("roomCreate", roomCreate)
        json.memberIfTrue("roomList", roomList)
        json.memberIfTrue("roomRecord", roomRecord)
        json.memberIfTrue("roomAdmin", roomAdmin)
        json.memberIfTrue("roomJoin", roomJoin)
        json.memberUnlessEmpty("room", room)
        if let canPublish { json.member("canPublish", canPublish) }
        if let canSubscribe { json.member("canSubscribe", canSubscribe) }
        if let canPublishData { json.member("canPublishData", canPublishData) }
        if !canPublishSources.isEmpty {
            json.memberArray("canPublishSources") { json in canPublishSources.forEach { json.string($0.claim) } }
        }
        if let canUpdateOwnMetadata { json.member("canUpdateOwnMetadata", canUpdateOwnMetadata) }
        json.memberIfTrue("ingressAdmin", ingressAdmin)
        json.memberIfTrue("hidden", hidden)
        json.memberIfTrue("agent", agent)
    }

    fileprivate init(_ claims: JSONValue) {
        self.init()
        roomCreate = claims["roomCreate"].isTrue
        roomList = claims["roomList"].isTrue
        roomRecord = claims["roomRecord"].isTrue
        roomAdmin = claims["roomAdmin"].isTrue
        roomJoin = claims["roomJoin"].isTrue
        room = claims["room"].string ?? ""
        canPublish = claims["canPublish"].bool
        canSubscribe = claims["canSubscribe"].bool
        canPublishData = claims["canPublishData"].bool
        canPublishSources = claims["canPublishSources"].elements.compactMap {
            $0.string.map(LiveKitTrackSource.init(claim:))
        }
        canUpdateOwnMetadata = claims["canUpdateOwnMetadata"].bool
        ingressAdmin = claims["ingressAdmin"].isTrue
        hidden = claims["hidden"].isTrue
        agent = claims["agent"].isTrue
    }
}

extension LiveKitSIPGrant {
    fileprivate func write(to json: inout JSONWriter) {
        json.memberIfTrue("admin", admin)
        json.memberIfTrue("call", call)
    }
}

extension LiveKitRoomAgentDispatch {
    fileprivate func write(to json: inout JSONWriter) {
        json.object { json in
            json.memberUnlessEmpty("agentName", agentName)
            json.memberUnlessEmpty("metadata", metadata)
            json.memberUnlessEmpty("attributes", attributes)
        }
    }
}

extension LiveKitTrackSource {
    private static let claims: [(LiveKitTrackSource, String)] = [
        (.camera, "camera"), (.microphone, "microphone"), (.screenShare, "screen_share"),
        (.screenShareAudio, "screen_share_audio"),
    ]

    fileprivate var claim: String { Self.claims.first { $0.0 == self }?.1 ?? "unknown" }

    /// A source that is not known counts as one that nobody publishes: left out, the list might be empty and allow everything.
    fileprivate init(claim: String) {
        self = Self.claims.first { $0.1 == claim.lowercased() }?.0 ?? .unknown
    }
}

extension JSONValue {
    fileprivate var isTrue: Bool { bool ?? false }

    fileprivate var texts: [String: String] {
        Dictionary(members.compactMap { key, value in value.string.map { (key, $0) } }) { $1 }
    }
}

extension JSONWriter {
    fileprivate mutating func memberUnlessEmpty(_ name: String, _ value: String) {
        if !value.isEmpty { member(name, value) }
    }

    /// Sorted, so that the same token has one text.
    fileprivate mutating func memberUnlessEmpty(_ name: String, _ values: [String: String]) {
        guard !values.isEmpty else { return }
        memberObject(name) { json in
            for (key, value) in values.sorted(by: { $0.key < $1.key }) { json.member(key, value) }
        }
    }

    fileprivate mutating func memberIfTrue(_ name: String, _ value: Bool) {
        if value { member(name, true) }
    }
}

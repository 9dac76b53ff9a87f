/// Agents that are asked into rooms.
extension LiveKitServerAPI {
    /// Asks an agent into a room, which is created when there is none and the server is configured to. Success means that the server has
    /// asked, not that an agent will come.
    package func createDispatch(_ agent: LiveKitRoomAgentDispatch, room: String) async throws -> LiveKitAgentDispatch {
        var request = LiveKitCreateAgentDispatchRequest()
        request.room = room
        request.agentName = agent.agentName
        request.metadata = agent.metadata
        request.attributes = agent.attributes
        return try await call(Self.dispatch("CreateDispatch", of: room, isIdempotent: false), request)
    }

    /// All dispatches of a room, or the one of this id.
    package func listDispatches(_ room: String, id: String = "") async throws -> [LiveKitAgentDispatch] {
        var request = LiveKitListAgentDispatchRequest()
        request.room = room
        request.dispatchID = id
        let response: LiveKitListAgentDispatchResponse = try await call(
            Self.dispatch("ListDispatch", of: room), request)
        return response.agentDispatches
    }

    /// Takes a dispatch back; its agents are told to leave, and are removed when they have not within 3 s.
    package func deleteDispatch(_ id: String, room: String) async throws -> LiveKitAgentDispatch {
        var request = LiveKitDeleteAgentDispatchRequest()
        request.room = room
        request.dispatchID = try Self.required(id, "the id of the dispatch")
        return try await call(Self.dispatch("DeleteDispatch", of: room), request)
    }

    private static func dispatch(_ method: String, of room: String, isIdempotent: Bool = true) throws -> TwirpCall {
        try administration(method, of: room, service: "AgentDispatchService", isIdempotent: isIdempotent)
    }
}

import LiveKitProtocol

extension SimulatedRooms {
    /// Creates the room where there is none, as servers do unless they are configured not to.
    mutating func createDispatch(_ request: LiveKitCreateAgentDispatchRequest) throws -> LiveKitAgentDispatch {
        try checkMetadata(request.metadata)
        ensureRoom(request.room)
        return addDispatch(
            LiveKitRoomAgentDispatch(
                agentName: request.agentName, metadata: request.metadata, attributes: request.attributes),
            to: request.room)
    }

    func listDispatches(_ request: LiveKitListAgentDispatchRequest) throws -> LiveKitListAgentDispatchResponse {
        guard let room = rooms[request.room] else { throw TwirpFailure.nobody }
        var response = LiveKitListAgentDispatchResponse()
        response.agentDispatches = room.dispatches.filter { request.dispatchID.isEmpty || $0.id == request.dispatchID }
        return response
    }

    mutating func deleteDispatch(_ request: LiveKitDeleteAgentDispatchRequest) throws -> LiveKitAgentDispatch {
        let deletedAt = now() * 1_000_000
        let deleted = try change(request.room, or: .nobody) { room in
            guard let index = room.dispatches.firstIndex(where: { $0.id == request.dispatchID }) else {
                throw TwirpFailure("not_found", "twirp error unknown: dispatch ID not found")
            }
            var dispatch = room.dispatches.remove(at: index)
            dispatch.state.deletedAt = deletedAt
            return dispatch
        }
        news.append(.deleted(deleted))
        return deleted
    }

    /// Replaces a job of a dispatch, or adds it. Nothing happens when the dispatch is gone.
    mutating func setJob(_ job: LiveKitJob) {
        guard let index = rooms[job.room.name]?.dispatches.firstIndex(where: { $0.id == job.dispatchID }) else {
            return
        }
        rooms[job.room.name]?.dispatches[index].state.jobs.removeAll { $0.id == job.id }
        rooms[job.room.name]?.dispatches[index].state.jobs.append(job)
    }

    @discardableResult
    mutating func addDispatch(_ agent: LiveKitRoomAgentDispatch, to room: String) -> LiveKitAgentDispatch {
        var dispatch = LiveKitAgentDispatch()
        dispatch.id = makeID("AD_")
        dispatch.agentName = agent.agentName
        dispatch.room = room
        dispatch.metadata = agent.metadata
        dispatch.attributes = agent.attributes
        dispatch.state.createdAt = now() * 1_000_000
        rooms[room]?.dispatches.append(dispatch)
        news.append(.dispatched(dispatch, rooms[room]?.info ?? LiveKitRoom()))
        return dispatch
    }
}

import BackendKit
import Foundation
import LiveKitDispatch
import LiveKitMedia

/// The agents that LiveKit may dispatch: by the name that rooms ask for, which of our agents that is.
struct DispatchedAgents: Equatable {
    struct Agent: Equatable {
        /// Empty: comes to every new room.
        var name: String
        var tenant: String
        var agent: String
    }

    let agents: [Agent]

    /// From texts like `sales=acme/lead-qualification`.
    ///
    /// - Throws: `BackendError` that names the variable and the entry
    init(_ entries: [String], variable: String) throws(BackendError) {
        var agents: [Agent] = []
        for entry in entries {
            let parts = entry.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let target = parts.count == 2 ? parts[1].split(separator: "/", omittingEmptySubsequences: false) : []
            guard target.count == 2, !target[0].isEmpty, !target[1].isEmpty else {
                throw BackendError("livekit", field: variable, "has '\(entry)'; an entry must be like sales=acme/lead-qualification")
            }
            let name = String(parts[0])
            guard !agents.contains(where: { $0.name == name }) else {
                throw BackendError("livekit", field: variable, "names '\(name)' twice")
            }
            agents.append(Agent(name: name, tenant: String(target[0]), agent: String(target[1])))
        }
        self.agents = agents
    }

    /// As much as the API takes; a server lets through eight times as much, and all of it would go into the session's log.
    private static let maximumMetadata = 64 << 10

    /// The session that a job stands for. Its metadata become parameters: the members of a JSON object that are texts, or all of it as `metadata`.
    ///
    /// - Throws: `BackendRefusal` for metadata that are too long
    static func call(_ assignment: AgentAssignment, for agent: Agent) throws(BackendRefusal) -> RoomCall {
        let job = assignment.job
        guard job.metadata.utf8.count <= maximumMetadata else {
            throw BackendRefusal(.badRequest, "the metadata of the dispatch have \(job.metadata.utf8.count) bytes; at most \(maximumMetadata) are taken")
        }
        let record = RoomGrantRecord(
            room: job.room.name, identity: assignment.participant.identity, name: agent.agent, participant: job.participantIdentity)
        var parameters: [String: String] = [:]
        if let members = (try? JSONSerialization.jsonObject(with: Data(job.metadata.utf8))) as? [String: Any] {
            parameters = members.compactMapValues { $0 as? String }
        } else if !job.metadata.isEmpty {
            parameters["metadata"] = job.metadata
        }
        return RoomCall(
            tenant: agent.tenant, agent: agent.agent, parameters: parameters,
            grant: RoomGrant(handshake: record.handshake, description: "room \(job.room.name)"))
    }
}

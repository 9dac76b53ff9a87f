import ArgumentParser
import LiveKitProtocol

extension RoomsCommand {
    struct Dispatch: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Asks an agent into a room, which is created if need be.")
        @Argument(help: "The room.") var room: String
        @Option(help: "The name that the agent's workers registered with.") var agentName: String
        @Option(help: "Passed to the agent.") var metadata = ""
        @OptionGroup var target: LiveKitTarget

        func run() async throws {
            let agent = LiveKitRoomAgentDispatch(agentName: agentName, metadata: metadata)
            let dispatch = try await target.api().createDispatch(agent, room: room)
            try target.print(dispatch, "asked '\(agentName)' into '\(room)': \(dispatch.id)")
        }
    }

    struct Dispatches: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lists the agents that were asked into a room, and what became of it.")
        @Argument(help: "The room.") var room: String
        @OptionGroup var target: LiveKitTarget

        func run() async throws {
            let dispatches = try await target.api().listDispatches(room)
            try target.print(dispatches, none: "no agents were asked into '\(room)'") { dispatch in
                let jobs = dispatch.state.jobs.map { job in
                    let who = job.state.participantIdentity.isEmpty ? "" : " as \(job.state.participantIdentity)"
                    return "\(job.state.status)\(who)" + (job.state.error.isEmpty ? "" : ": \(job.state.error)")
                }
                return "\(dispatch.id)  \(dispatch.agentName.isEmpty ? "any agent" : dispatch.agentName)  "
                    + (jobs.isEmpty ? "no agent has taken it" : jobs.joined(separator: ", "))
            }
        }
    }
}

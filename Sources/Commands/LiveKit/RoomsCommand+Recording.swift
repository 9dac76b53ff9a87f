import ArgumentParser
import LiveKitProtocol

extension RoomsCommand {
    struct Record: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Starts to record the sound of a room.",
            discussion:
                "LiveKit's egress service must be running. It writes the file where it is configured to: to its own disk or to a bucket."
        )
        @Argument(help: "The room.") var room: String
        @Option(help: "The file, such as calls/{room_name}-{time}.ogg.") var file: String
        @Option(help: "Record only the participant of this identity, as long as it is there.") var participant: String?
        @Flag(help: "Agents in one channel, everybody else in the other.") var separateAgent = false
        @OptionGroup var target: LiveKitTarget

        func validate() throws {
            if participant != nil, separateAgent {
                throw ValidationError("--separate-agent needs the whole room; leave out --participant.")
            }
        }

        func run() async throws {
            let api = try target.api()
            let destination = LiveKitRecordingFile(file)
            let recording =
                if let participant {
                    try await api.record(participant: participant, room: room, to: destination)
                } else {
                    try await api.record(room: room, to: destination, separatesAgent: separateAgent)
                }
            try target.print(recording, "recording '\(room)' to \(file): \(recording.egressID)")
        }
    }

    struct StopRecording: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Ends a recording.")
        @Argument(help: "The recording's id, EG_...") var id: String
        @OptionGroup var target: LiveKitTarget

        func run() async throws {
            let recording = try await target.api().stopRecording(id)
            let files = recording.fileResults.map { $0.location.isEmpty ? $0.filename : $0.location }
            try target.print(recording, "stopped \(id)" + (files.isEmpty ? "" : ": \(files.joined(separator: ", "))"))
        }
    }
}

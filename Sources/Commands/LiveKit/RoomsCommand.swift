import ArgumentParser
import LiveKitProtocol
import Telemetry

/// `parley rooms`: the rooms of a LiveKit server.
struct RoomsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rooms", abstract: "Lists LiveKit rooms, calls people and agents into them, and records them.",
        discussion: LiveKitTarget.help,
        subcommands: [
            List.self, Participants.self, Delete.self, Remove.self, Send.self, Dispatch.self, Dispatches.self,
            Dial.self, Transfer.self,
            Record.self, StopRecording.self,
        ])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Lists the rooms that exist.")
        @OptionGroup var target: LiveKitTarget

        func run() async throws {
            let rooms = try await target.api().listRooms().sorted { $0.name < $1.name }
            try target.print(rooms, none: "there are no rooms") { room in
                let since = Timestamp.rfc3339(milliseconds: room.creationTime * 1000)
                return "\(room.name)  \(room.numParticipants) participants  since \(since)  \(room.sid)"
                    + (room.activeRecording ? "  recording" : "")
            }
        }
    }

    struct Participants: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Lists who is in a room, and their tracks.")
        @Argument(help: "The room.") var room: String
        @OptionGroup var target: LiveKitTarget

        func run() async throws {
            let participants = try await target.api().listParticipants(room)
            try target.print(participants, none: "nobody is in '\(room)'") { participant in
                let tracks = participant.tracks.map { "\($0.sid) \($0.source)\($0.muted ? " (muted)" : "")" }
                let name = participant.name.isEmpty ? "" : "  '\(participant.name)'"
                return "\(participant.identity)\(name)  \(participant.kind)  \(participant.state)  "
                    + (tracks.isEmpty ? "no tracks" : tracks.joined(separator: ", "))
            }
        }
    }

    struct Delete: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Ends a room; everybody in it is disconnected.")
        @Argument(help: "The room.") var room: String
        @OptionGroup var target: LiveKitTarget

        func run() async throws {
            try await target.api().deleteRoom(room)
            target.printDone("deleted '\(room)'")
        }
    }

    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Disconnects a participant, who can join again with a valid token.")
        @Argument(help: "The room.") var room: String
        @Argument(help: "The participant's identity.") var identity: String
        @OptionGroup var target: LiveKitTarget

        func run() async throws {
            try await target.api().removeParticipant(identity, room: room)
            target.printDone("removed '\(identity)' from '\(room)'")
        }
    }

    struct Send: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Sends a text into a room, as a data packet.")
        @Argument(help: "The room.") var room: String
        @Argument(help: "The text.") var text: String
        @Option(help: "The packet's topic.") var topic: String?
        @Option(help: "Only to this identity; can be repeated. Default: to everybody.") var to: [String] = []
        @OptionGroup var target: LiveKitTarget

        func run() async throws {
            try await target.api().sendData(Array(text.utf8), room: room, topic: topic, to: to)
            target.printDone("sent \(text.utf8.count) bytes to '\(room)'")
        }
    }
}

import ArgumentParser
import LiveKitProtocol

extension RoomsCommand {
    struct Dial: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Calls a telephone number into a room.")
        @Argument(help: "The room.") var room: String
        @Option(help: "The number to call, such as +4930123456.") var number: String
        @Option(help: "The outbound trunk, ST_...") var trunk: String
        @Option(help: "The identity of the callee in the room. Default: chosen by the server.") var identity = ""
        @Option(help: "The callee's name for people.") var name = ""
        @Option(help: "How long the phone may ring, such as 30s.") var ringing: TimeArgument?
        @Flag(help: "Wait until the callee has answered; busy and unanswered are errors then.") var wait = false
        @OptionGroup var target: LiveKitTarget

        func validate() throws {
            if number.contains("@") {
                throw ValidationError("--number is a number or user of the trunk, not a SIP address.")
            }
        }

        func run() async throws {
            var call = LiveKitCall(trunk: trunk, number: number, room: room)
            call.identity = identity
            call.name = name
            call.ringing = ringing?.duration
            call.waitUntilAnswered = wait
            let participant = try await target.api().dial(call)
            try target.print(
                participant,
                "calling \(number) into '\(room)' as '\(participant.participantIdentity)', call \(participant.sipCallID)"
            )
        }
    }

    struct Transfer: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Hands a caller over to another number.",
            discussion: "The caller must have come by telephone, and leaves the room.")
        @Argument(help: "The room.") var room: String
        @Argument(help: "The caller's identity.") var identity: String
        @Option(help: "tel:+4930123456 or sip:user@host.") var to: String
        @OptionGroup var target: LiveKitTarget

        func validate() throws {
            guard ["tel:", "sip:", "sips:"].contains(where: to.hasPrefix) else {
                throw ValidationError("--to must begin with tel:, sip: or sips:, such as tel:+4930123456.")
            }
        }

        func run() async throws {
            let answer = try await target.api().transfer(identity, room: room, to: to)
            try target.print(answer, "transferred '\(identity)' to \(to)")
        }
    }
}

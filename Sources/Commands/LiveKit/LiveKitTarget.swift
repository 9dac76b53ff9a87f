import ArgumentParser
import Foundation
import LiveKitProtocol
import NIOPosix
import ServiceSupport
import SwiftProtobuf

/// The LiveKit server that a command works with. Shared by `token` and `rooms`.
struct LiveKitTarget: ParsableArguments {
    static let help =
        "Reads LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET; each may be given as NAME_FILE, the path of a file that holds it."

    @Flag(help: "Print JSON.") var json = false

    func credentials() throws -> LiveKitCredentials {
        do {
            return try LiveKitCredentials(
                ServiceEnvironment(LiveKitCredentials.declarations, from: ProcessInfo.processInfo.environment))
        } catch let error as ConfigurationError {
            throw CommandError(error.problems.map(\.description).joined(separator: "\n"))
        }
    }

    func api() throws -> LiveKitServerAPI {
        LiveKitServerAPI(try credentials(), eventLoop: MultiThreadedEventLoopGroup.singleton.any())
    }

    /// Prints an answer as LiveKit's own JSON, or as `text` where no JSON was asked for.
    func print(_ message: some Message, _ text: @autoclosure () -> String) throws {
        Swift.print(json ? try message.jsonString() : text())
    }

    /// The same for several: an array, or a line each, or `none`.
    func print<Item: Message>(_ messages: [Item], none: String, _ line: (Item) -> String) throws {
        if json {
            Swift.print("[" + (try messages.map { try $0.jsonString() }).joined(separator: ",") + "]")
        } else {
            Swift.print(messages.isEmpty ? none : messages.map(line).joined(separator: "\n"))
        }
    }

    /// For commands that have nothing to tell but that it is done.
    func printDone(_ text: String) { Swift.print(json ? "{}" : text) }
}

/// A time as people write it, `250ms`, `30s`, `1h`.
struct TimeArgument: ExpressibleByArgument {
    let duration: Duration

    init(_ duration: Duration) { self.duration = duration }

    var defaultValueDescription: String { DurationText.format(duration) }

    init?(argument: String) {
        guard let duration = DurationText.parse(argument), duration > .zero else { return nil }
        self.duration = duration
    }
}

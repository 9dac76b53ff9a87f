/// What went wrong with LiveKit's client library or with a room.
package struct LiveKitError: Error, Sendable, Hashable, CustomStringConvertible {
    package enum Code: String, Sendable, Hashable {
        /// The library is not there or is another one.
        case library
        /// The library broke: rooms of this process are lost.
        case panicked
        /// The library did not understand a request.
        case request
        /// The library has not answered a request in time.
        case late
        /// The room cannot be joined.
        case connect
        case publish
    }

    package var code: Code
    package var message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { "livekit: \(message)" }
}

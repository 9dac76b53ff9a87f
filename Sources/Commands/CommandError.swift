/// What a command of `parley` cannot do, in words for whoever typed it.
struct CommandError: Error, Sendable, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

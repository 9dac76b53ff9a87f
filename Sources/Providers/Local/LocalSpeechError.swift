/// What went wrong in a speech engine of this machine.
package struct LocalSpeechError: Error, Sendable, Hashable, CustomStringConvertible {
    package enum Code: String, Sendable { case unknownVoice, engineFailed, modelMissing, unknownGrammar }
    package var code: Code
    package var message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }
    package var description: String { message }
}

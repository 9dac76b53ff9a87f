/// What went wrong in speech detection, in words that say what to do about it.
package struct SpeechDetectionError: Error, Sendable, CustomStringConvertible {
    /// The kind of failure; new ones may be added, so switch with a default.
    package struct Code: Hashable, Sendable, CustomStringConvertible {
        /// The name that logs and metrics use.
        package let description: String

        private init(_ description: String) {
            self.description = description
        }

        /// The ONNX Runtime library is not there or cannot be opened.
        package static let runtimeMissing = Code("runtime_missing")
        /// A model file is not there or cannot be read.
        package static let modelMissing = Code("model_missing")
        /// A model file is there, but is not the model it should be.
        package static let modelInvalid = Code("model_invalid")
        /// The runtime refused to do what it was asked.
        package static let inferenceFailed = Code("inference_failed")
        /// The verdict on an end of turn came after its deadline, or its deadline passed before its turn came.
        package static let late = Code("late")
        /// The end of turn was not analysed, because the analyzer is busy beyond its bound or is shut down.
        package static let skipped = Code("skipped")
        /// The verdict was no longer wanted.
        package static let cancelled = Code("cancelled")
        /// A thread could not be started.
        package static let threadUnavailable = Code("thread_unavailable")
    }

    package let code: Code
    /// A sentence for the person who has to act on it.
    package let message: String
    /// The error behind it, where there is one.
    package let cause: (any Error)?

    package init(_ code: Code, _ message: String, cause: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.cause = cause
    }

    package var description: String {
        cause.map { "\(code): \(message) (\($0))" } ?? "\(code): \(message)"
    }
}

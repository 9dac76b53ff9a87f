extension SessionState {
    /// A tool call and what became of it.
    package struct ToolCallState: Hashable, Sendable {
        package let called: ToolCalled
        /// Nil while it runs, and for ever when its owner died before it could say.
        package internal(set) var returned: ToolReturned?

        package var id: String { called.call }
        package var name: String { called.name }
        /// JSON.
        package var arguments: String { called.arguments }
        /// Nil while there is none. An outcome of a newer version counts as unknown.
        package var outcome: Outcome? {
            switch returned?.outcome {
            case nil: nil
            case .toolSucceeded: .succeeded
            case .toolFailed: .failed
            case .toolCancelled: .cancelled
            case .toolUnknown, .UNRECOGNIZED: .unknown
            }
        }
        /// What it returned; empty while it has not.
        package var result: String { returned?.content ?? "" }

        package enum Outcome: Hashable, Sendable {
            case succeeded
            case failed
            case cancelled
            /// It may or may not have run.
            case unknown
        }
    }
}

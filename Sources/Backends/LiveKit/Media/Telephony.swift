/// What the server does with the telephone calls of people in its rooms. It takes credentials of the server.
package struct Telephony: Sendable {
    /// Why a transfer did not work.
    package struct Failure: Error, CustomStringConvertible {
        /// For the agent: without addresses and other matters of the operator.
        package var told: String
        /// For the operator.
        package var description: String

        package init(told: String, description: String) {
            self.told = told
            self.description = description
        }
    }

    /// Ends somebody's call; who has hung up already is fine.
    package var hangUp: @Sendable (_ identity: String, _ room: String) async throws -> Void
    /// Has somebody call a `tel:` or `sip:` URI, and returns when that has worked; the caller leaves the room.
    package var transfer: @Sendable (_ identity: String, _ room: String, _ target: String) async throws(Failure) -> Void

    package init(
        hangUp: @escaping @Sendable (_ identity: String, _ room: String) async throws -> Void,
        transfer: @escaping @Sendable (_ identity: String, _ room: String, _ target: String) async throws(Failure) -> Void
    ) {
        self.hangUp = hangUp
        self.transfer = transfer
    }
}

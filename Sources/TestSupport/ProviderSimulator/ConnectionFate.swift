import Synchronization

/// The fault that was drawn when a WebSocket was let in, for the handler that comes after.
final class ConnectionFate: Sendable {
    private let fault = Mutex(Fault.none)

    var value: Fault {
        get { fault.withLock { $0 } }
        set { fault.withLock { $0 = newValue } }
    }
}

import CLibPQ
import Dispatch

/// Asks the server to stop the running statement, over a connection of its own.
///
/// Unchecked because it holds a raw pointer; libpq documents `PQcancel` as safe to call from any thread, and nothing else
/// touches the object.
@safe final class CancelHandle: @unchecked Sendable {
    private let handle: OpaquePointer

    init(_ handle: OpaquePointer) {
        unsafe self.handle = unsafe handle
    }

    deinit {
        unsafe PQfreeCancel(handle)
    }

    /// Returns at once; the request is sent from a background thread, because libpq blocks while it connects. Best effort:
    /// where it fails, the statement's deadline ends the wait.
    func cancel() {
        DispatchQueue.global().async { [self] in
            // libpq insists on a buffer for its reason, which nobody could act on.
            unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
                unsafe _ = PQcancel(handle, buffer.baseAddress, 256)
            }
        }
    }
}

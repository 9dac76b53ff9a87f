import Foundation
import NIOCore

/// The clocks of the store: monotonic for what waits, wall clock for what people read. Leases are in Redis time, in the scripts.
enum StoreClock {
    /// Monotonic milliseconds.
    static var now: Int64 { Int64(NIODeadline.now().uptimeNanoseconds / 1_000_000) }
    /// Milliseconds since 1970.
    static var wall: Int64 { Int64(Date().timeIntervalSince1970 * 1000) }
}

import CLiveKit
import Synchronization

/// Something that the client library holds for us: a room, a track, a stream. It is let go of when nobody has the handle any more.
final class LiveKitHandle: Sendable {
    let id: UInt64

    /// Handles that are held now, in this process.
    static var count: Int { live.load(ordering: .relaxed) }
    private static let live = Atomic(0)

    init(_ id: UInt64) {
        self.id = id
        Self.live.add(1, ordering: .relaxed)
    }

    convenience init(_ handle: FfiOwnedHandle) { self.init(handle.id) }

    deinit {
        _ = livekit_drop_handle(id)
        Self.live.subtract(1, ordering: .relaxed)
    }
}

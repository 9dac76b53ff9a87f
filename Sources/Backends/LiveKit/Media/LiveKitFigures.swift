import BackendKit
import Synchronization

/// What a worker counts of its rooms.
final class LiveKitFigures: Sendable {
    private let joins = Atomic(0)
    private let droppedFrames = Atomic(0)
    private let droppedMessages = Atomic(0)

    func joined() { joins.add(1, ordering: .relaxed) }
    func dropped(frames: Int) { droppedFrames.add(frames, ordering: .relaxed) }
    func dropped(messages: Int) { droppedMessages.add(messages, ordering: .relaxed) }

    func all(routes: Int) -> [BackendFigure] {
        [
            .init("livekit_joins", "Joins of rooms that were begun.", joins.load(ordering: .relaxed)),
            .init(
                "livekit_dropped_frames", "Frames of callers' audio that were dropped because the worker was late.",
                droppedFrames.load(ordering: .relaxed)),
            .init(
                "livekit_dropped_messages", "Messages to rooms that were dropped because the room did not take them.",
                droppedMessages.load(ordering: .relaxed)),
            .init("livekit_handles", "Objects that the client library holds for this worker.", LiveKitHandle.count),
            .init("livekit_routes", "Listeners and requests that wait for the client library.", routes),
        ]
    }
}

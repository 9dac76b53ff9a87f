import Logging
import NIOCore
import SwiftProtobuf

/// The microphones in a room: those of the people whom the agent follows are subscribed to and heard. On the session's event loop.
final class RoomMicrophones {
    private struct Microphone {
        var identity: String
        var publication: LiveKitHandle
        /// Without it the library ends the stream.
        var track: LiveKitHandle?
        var stream: CallerStream?
        /// The library's stream; its frames stop when it is let go of.
        var handle: LiveKitHandle?
        var isWanted = false
    }

    private let library: LiveKitLibrary
    private let eventLoop: any EventLoop
    private let logger: Logger
    private let figures: LiveKitFigures
    private let take: (_ identity: String, _ samples: ByteBuffer, _ arrival: Int64) -> Void
    private var microphones: [String: Microphone] = [:]

    /// `take` gets what somebody says: PCM16 as `CallerStream` has it, and when it came, in monotonic nanoseconds.
    init(
        library: LiveKitLibrary, on eventLoop: any EventLoop, logger: Logger, figures: LiveKitFigures,
        _ take: @escaping (_ identity: String, _ samples: ByteBuffer, _ arrival: Int64) -> Void
    ) {
        self.library = library
        self.eventLoop = eventLoop
        self.logger = logger
        self.figures = figures
        self.take = take
    }

    func published(_ sid: String, of identity: String, _ publication: LiveKitHandle) {
        microphones[sid] = Microphone(identity: identity, publication: publication)
    }

    func unpublished(_ sid: String) {
        stopListening(sid)
        microphones[sid] = nil
    }

    func left(_ identity: String) {
        for (sid, microphone) in microphones where microphone.identity == identity { unpublished(sid) }
    }

    /// Subscribes to these microphones and to no others.
    func want(_ sids: Set<String>, by link: RoomLink?) {
        for sid in Array(microphones.keys) {
            guard var microphone = microphones[sid], microphone.isWanted != sids.contains(sid) else { continue }
            microphone.isWanted = sids.contains(sid)
            microphones[sid] = microphone
            if !microphone.isWanted { stopListening(sid) }
            link?.subscribe(microphone.publication, microphone.isWanted)
        }
    }

    /// The room has begun to send the track of a microphone.
    func subscribed(_ sid: String, _ track: LiveKitHandle) {
        guard let microphone = microphones[sid], microphone.isWanted else { return }
        let identity = microphone.identity
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        let stream = CallerStream(on: eventLoop) { samples, arrival in bound.value.take(identity, samples, arrival) }
        do {
            let handle = try open(track)
            unsafe library.listen(toAudio: handle.id) { samples, _, _ in unsafe stream.push(samples) }
            stopListening(sid)
            microphones[sid]?.track = track
            microphones[sid]?.stream = stream
            microphones[sid]?.handle = handle
        } catch { logger.error("a microphone cannot be heard", metadata: ["error": "\(error)"]) }
    }

    private func open(_ track: LiveKitHandle) throws(LiveKitError) -> LiveKitHandle {
        let opened = try library.request(
            .newAudioStream(
                .with {
                    $0.trackHandle = track.id
                    $0.type = 0
                    $0.sampleRate = UInt32(CallerStream.sampleRate)
                    $0.numChannels = 1
                    $0.frameSizeMs = UInt32(CallerStream.frameMilliseconds)
                    $0.queueSizeFrames = 25
                })
        )
        return LiveKitHandle(opened.newAudioStream.stream.handle)
    }

    /// Nobody is heard any more.
    func close() {
        for sid in microphones.keys { stopListening(sid) }
        microphones = [:]
    }

    private func stopListening(_ sid: String) {
        guard let stream = microphones[sid]?.stream, let handle = microphones[sid]?.handle else { return }
        stream.close()
        library.forget(handle.id)
        figures.dropped(frames: stream.dropped)
        microphones[sid]?.stream = nil
        microphones[sid]?.handle = nil
        microphones[sid]?.track = nil
    }
}

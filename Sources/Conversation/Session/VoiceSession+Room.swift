import Audio
import Logging
import NIOCore
import SessionLog
import SwiftProtobuf

/// What the log has once a second where no dispatcher keeps the caller's audio and counts what was heard: in a room.
struct RoomProgress {
    /// Monotonic nanoseconds between two entries of a kind.
    static let interval: Int64 = 1_000_000_000

    var partialText = ""
    var partialAt: Int64 = 0
    var heardAt: Int64 = 0
}

/// A conversation in a room.
extension VoiceSession {
    private var isRoomed: Bool { start?.isRelayed == false }

    /// The caller's words so far, so that the next owner knows that there were some.
    func logPartial(_ text: String) {
        guard isRoomed, !text.isEmpty, text != room.partialText, lastTick - room.partialAt >= RoomProgress.interval else { return }
        room.partialText = text
        room.partialAt = lastTick
        log(
            .userPartial(
                .with {
                    $0.text = text
                    $0.speechStart = now.samples
                }))
    }

    /// How far the reply has been heard, so that the next owner goes on there.
    func logProgress() {
        guard isRoomed, lastTick - room.heardAt >= RoomProgress.interval, let number = playout.currentReply, replies[number]?.hasStarted == true
        else { return }
        room.heardAt = lastTick
        guard let heard = deliveredSoFar(of: number), heard > .zero else { return }
        log(
            .replyProgress(
                .with {
                    $0.reply = number
                    $0.samples = heard.samples
                }))
    }

    /// The caller said something of which only a part was logged, and perhaps a part was heard by nobody.
    var missesWords: Bool { isRoomed && state.partial != nil }

    /// The agent asks for it again and guesses nothing.
    func askAgain() { say(agent.repeatRequest, kind: .apology) }

    // MARK: The caller's connection

    /// The caller's connection to the room is lost: the agent stands still where it is.
    package func callerAway(_ reason: String) {
        guard isLive else { return }
        logger.info("caller is away, the session waits", metadata: ["reason": "\(reason)"])
        isThrottled = true
        logDetached(reason)
    }

    package func callerBack() {
        guard isLive else { return }
        isThrottled = false
        logAttached()
    }
}

import Audio
import Foundation
import Logging
import NIOCore
import SessionLog
import SwiftProtobuf

/// A worker that is to end gives its sessions away.
struct Drain {
    /// A conversation that is never quiet is given away in the middle of a sentence after this, in nanoseconds.
    static let patience: Int64 = 20_000_000_000

    var isAsked = false
    /// Monotonic nanoseconds; 0 before the first tick behind the request.
    var until: Int64 = 0
    /// Everything through this sequence is stored.
    var stored: UInt64 = 0
    /// The sequence that is waited for.
    var awaited: UInt64 = 0
}

/// Messages of the caller that need not be kept although no turn covers them: those of a caller who is silent.
struct IdleRelease {
    /// Ticks between two looks; what was handled by the look before the last is old enough, since speech is noticed within that.
    static let ticks = 25

    var tick = 0
    var handled: UInt64 = 0
    var earlier: UInt64 = 0
}

/// The caller goes away, or the session goes to another worker.
extension VoiceSession {
    /// Log entries are waited for this long before a session is let go without them.
    private static let patience = TimeAmount.milliseconds(500)

    // MARK: The caller is gone

    /// The connection is gone and may come back. Playout stands still, what was said is logged, and the session waits, for the window of
    /// its start; then it is closed. Whoever has the caller next claims it.
    package func detach(_ reason: String) {
        guard isLive else { return }
        logger.info("client is gone, the session waits for it", metadata: ["reason": "\(reason)"])
        standStill()
        // Words without an answer are in the log, and answered when the caller is back.
        handle(.hangUp)
        logDetached(reason)
        logTotals()
        fallSilent()
        life = .detached
        let window = start?.window ?? .seconds(30)
        eventLoop.scheduleTask(in: TimeAmount(window)) { [weak self] in
            self?.assumeIsolated { session in
                if session.life == .detached { session.close(.clientDisconnected, detail: "\(reason); did not come back in time") }
            }
        }
    }

    func logDetached(_ reason: String) {
        log(.detached(.with {
            $0.attachment = start?.attachment ?? ""
            $0.reason = reason
        }))
    }

    // MARK: Another worker goes on

    /// Gives the session up at once, for an attachment that this process has just been asked to take. `isReplayed`: the next owner gets the
    /// caller's messages that were not released; where it does not, words are logged now. Calls back when the log has everything.
    package func giveUp(isReplayed: Bool, _ done: @escaping @Sendable () -> Void) {
        guard isLive || life == .detached else { return done() }
        if isLive {
            standStill()
            if !isReplayed { handle(.hangUp) }
            logTotals()
        }
        life = .leaving
        leave(.superseded, done)
    }

    /// The worker is to end: the session is handed over when nobody speaks and the log has everything.
    package func handOver() {
        drain.isAsked = true
    }

    func handOverWhenQuiet(_ nanoseconds: Int64) {
        guard isLive else { return }
        if drain.until == 0 { drain.until = nanoseconds + Drain.patience }
        let isQuiet = turns.isQuiet && replies.isEmpty && openCalls.isEmpty && catchUp == nil
        if nanoseconds < drain.until {
            guard isQuiet else { return }
            guard drain.stored == lastSequence else { return awaitStorage() }
        }
        standStill()
        logTotals()
        life = .leaving
        leave(.handedOver) {}
    }

    private func awaitStorage() {
        guard drain.awaited != lastSequence else { return }
        let sequence = lastSequence
        drain.awaited = sequence
        journal.whenStored(sequence) { [weak self] in
            self?.assumeIsolated { $0.drain.stored = sequence }
        }
    }

    private func leave(_ reason: EndReason, _ done: @escaping @Sendable () -> Void) {
        fallSilent()
        let deadline = eventLoop.scheduleTask(in: Self.patience) { [weak self] in
            self?.assumeIsolated { $0.left(reason, done) }
        }
        journal.whenSettled(lastSequence) { [weak self] _ in
            deadline.cancel()
            self?.assumeIsolated { $0.left(reason, done) }
        }
    }

    private func left(_ reason: EndReason, _ done: @Sendable () -> Void) {
        guard life == .leaving else { return }
        journal.abandon()
        tearDown()
        if reason == .handedOver { port.handOver() } else { port.end(reason) }
        port.flush()
        onEnd(reason)
        done()
    }

    /// Logs how far the replies have been heard, so that another owner, or this one's successor, goes on there.
    private func standStill() {
        for number in committedReplies {
            if let sentence = partialAudio?.sentence, sentence.reply == number, playout.awaitsAudio(of: sentence) {
                logMarks(of: sentence, isPartial: true)
            }
            guard let known = state.reply(number) else { continue }
            let point = ResumePoint(known, delivered: deliveredSoFar(of: number))
            if point.hasBegun { log(point.event(of: number)) }
            replies[number]?.generation?.cancel()
        }
        replies = replies.filter { !$0.value.isCommitted }
        discardSpeculation(nil)
    }

    /// By the clock, but not more than what went to the client.
    func deliveredSoFar(of number: ReplyNumber) -> SessionTime? {
        guard let heard = playout.heardSoFar(of: number), let sent = playout.position(of: number) else { return nil }
        return max(.zero, min(heard, sent - port.untaken))
    }

    // MARK: What the relay may forget

    func releaseWhenStored(_ sequence: UInt64, through number: UInt64) {
        guard number > 0 else { return }
        journal.whenStored(sequence) { [weak self] in
            self?.assumeIsolated { session in
                guard session.isLive else { return }
                session.port.release(through: number)
                session.port.flush()
            }
        }
    }

    /// While the caller says nothing, what it sends means nothing, but for the last half second or so.
    func releaseIdleAudio() {
        idleRelease.tick += 1
        guard idleRelease.tick >= IdleRelease.ticks else { return }
        idleRelease.tick = 0
        guard life == .talking, catchUp == nil, !turns.holdsInput else { return }
        releaseWhenStored(lastSequence, through: idleRelease.earlier)
        idleRelease.earlier = idleRelease.handled
        idleRelease.handled = port.handled
    }

    /// A sentence that is heard while its audio still comes: the words so far are logged, at once and then twice a second.
    func logLongAudio() {
        guard let (sentence, loggedAt) = partialAudio else { return }
        guard playout.awaitsAudio(of: sentence) else { return partialAudio = nil }
        guard loggedAt == 0 || lastTick - loggedAt >= 500_000_000, playout.samples(of: sentence) > .zero else { return }
        partialAudio?.loggedAt = lastTick
        logMarks(of: sentence, isPartial: true)
    }
}

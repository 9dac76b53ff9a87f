import Cryptography
import Logging
import SwiftProtobuf

/// The way of a job.
extension AgentRegistration {
    /// Messages about jobs kept while there is no connection; the server will know few of those jobs.
    private static let maximumUnreported = 1_000

    /// Nothing is under way: no answer outstanding, no session being started.
    var isSettled: Bool { jobs.isEmpty }
    /// Somebody waits for room.
    var isHolding: Bool { jobs.values.contains(where: \.isHeld) }
    var pendingCount: Int { jobs.values.count(where: \.isPending) }
    /// Places that are taken and that the capacity may not show yet.
    var reserved: Double {
        let unseen = running.values.count { job in capacity.measured.map { $0 <= job.since } ?? true }
        return Double(jobs.values.count { !$0.isPending } + unseen) * settings.jobWeight
    }
    /// Sums of weights are not exact.
    var hasRoom: Bool { capacity.free - reserved + 1e-6 >= settings.jobWeight }
    /// Jobs that are ours.
    var assignedCount: Int { running.count + jobs.values.count(where: \.isStarting) }
    var assignedJobs: [String] {
        running.values.sorted { $0.number < $1.number }.map(\.assignment.job.id) + inOrder(\.isStarting)
    }

    private func inOrder(_ isWanted: (JobEntry) -> Bool) -> [String] {
        jobs.values.filter(isWanted).sorted { $0.number < $1.number }.map(\.job.id)
    }

    // MARK: Offer and answer

    mutating func offered(_ wire: AgentWireJob, _ now: Instant) {
        let job = AgentJob(wire)
        actions.append(.count(.offered))
        guard jobs[job.id] == nil, running[job.id] == nil else {
            log(.warning, "the LiveKit server offers a job that is here already", job: job.id)
            return sendRefusal(job.id)
        }
        guard !isDraining, pendingCount < settings.maximumPending else { return sendRefusal(job.id) }
        lastNumber += 1
        jobs[job.id] = JobEntry(job: job, number: lastNumber, answerBy: now + settings.answerWithin)
        actions.append(.ask(job))
    }

    mutating func answered(_ id: String, _ answer: JobAnswer, _ now: Instant) {
        guard let entry = jobs[id], case .asked = entry.phase else { return }
        switch answer {
        case .refuse(let isFinal): refuse(id, isFinal: isFinal)
        case .accept(let participant):
            let participant = participant.completed(for: entry.job)
            if hasRoom { return accept(id, participant, now) }
            let until = min(now + settings.hold, entry.answerBy)
            jobs[id]?.phase = .held(participant, until: until)
            actions.append(.count(.queued))
        }
    }

    private mutating func accept(_ id: String, _ participant: AgentParticipant, _ now: Instant) {
        let until = now + settings.assignWithin
        jobs[id]?.phase = .accepted(participant, until: until)
        actions.append(.count(.accepted))
        send {
            $0.availability.jobID = id
            $0.availability.available = true
            $0.availability.participantIdentity = participant.identity
            $0.availability.participantName = participant.name
            $0.availability.participantMetadata = participant.metadata
            $0.availability.participantAttributes = participant.attributes
        }
    }

    private mutating func refuse(_ id: String, isFinal: Bool = false, counting outcome: DispatchOutcome = .refused) {
        jobs[id] = nil
        sendRefusal(id, isFinal: isFinal, counting: outcome)
    }

    private mutating func sendRefusal(_ id: String, isFinal: Bool = false, counting outcome: DispatchOutcome = .refused) {
        actions.append(.count(outcome))
        send {
            $0.availability.jobID = id
            $0.availability.available = false
            $0.availability.terminate = isFinal
        }
    }

    /// First come, first served.
    mutating func acceptHeld(_ now: Instant) {
        for id in inOrder(\.isHeld) {
            guard hasRoom else { return }
            if case .held(let participant, _) = jobs[id]?.phase { accept(id, participant, now) }
        }
    }

    /// Nobody may wait for us any longer.
    mutating func refusePending() {
        for id in inOrder(\.isPending) { refuse(id) }
    }

    /// The server asks somebody else, which may be us again.
    mutating func forgetUnassigned() { jobs = jobs.filter(\.value.isStarting) }

    // MARK: Time

    mutating func tickJobs(_ now: Instant) {
        for id in inOrder({ _ in true }) {
            switch jobs[id]?.phase {
            case .asked where now >= jobs[id]?.answerBy ?? now:
                log(.warning, "the offer of a job was not answered within \(settings.answerWithin)", job: id)
                refuse(id, counting: .expired)
            case .held(let participant, let until) where now >= until: holdIsOver(id, participant, now)
            case .accepted(_, let until) where now >= until:
                log(.warning, "a job was accepted and not assigned within \(settings.assignWithin)", job: id)
                jobs[id] = nil
                actions.append(.count(.expired))
            case .starting(let assignment, var attempt):
                guard let next = attempt.next, now >= next else { continue }
                attempt.next = nil
                jobs[id]?.phase = .starting(assignment, attempt)
                actions.append(.begin(assignment, by: attempt.until))
            case .asked, .held, .accepted, nil: break
            }
        }
        acceptHeld(now)
    }

    /// A job that nobody takes is lost, so that it is taken if there is any hope: room that comes while its session waits to be started.
    private mutating func holdIsOver(_ id: String, _ participant: AgentParticipant, _ now: Instant) {
        guard jobs.values.count(where: \.isOverbooked) < settings.maximumOverbooked else {
            log(.warning, "no media worker has room for a job; it is refused", job: id)
            return refuse(id, counting: .expired)
        }
        jobs[id]?.isOverbooked = true
        accept(id, participant, now)
    }

    // MARK: Assignment and start

    mutating func assigned(_ wire: AgentWireJobAssignment, _ workerID: String, _ now: Instant) {
        let job = AgentJob(wire.job)
        switch jobs[job.id]?.phase {
        case .accepted(let participant, _):
            guard !wire.token.isEmpty else { return fail(job.id, "the assignment has no token") }
            let assignment = AgentAssignment(
                job: job, participant: participant, url: wire.url.isEmpty ? url : wire.url, token: Secret(wire.token), workerID: workerID)
            let until = now + settings.startWithin
            jobs[job.id]?.phase = .starting(assignment, .init(until: until))
            actions.append(.begin(assignment, by: until))
        case .starting: log(.debug, "a job was assigned twice", job: job.id)
        case nil where running[job.id] != nil: log(.debug, "a job that runs was assigned again", job: job.id)
        case .asked, .held, nil:
            log(.warning, "the LiveKit server assigns a job that was not accepted, or too late", job: job.id)
            report(job.id, .jsFailed, "this worker has not accepted the job, or not any more")
        }
    }

    mutating func started(_ id: String, _ now: Instant) {
        guard let entry = jobs[id], case .starting(let assignment, let attempt) = entry.phase else { return }
        jobs[id] = nil
        running[id] = RunningJob(assignment: assignment, since: now, number: entry.number)
        actions.append(.count(.started))
        report(id, .jsRunning)
        if attempt.isTerminated { tell(assignment, .zero, isEarly: true) }
    }

    mutating func startFailed(_ id: String, _ error: AgentStartError, _ now: Instant) {
        guard case .starting(let assignment, var attempt) = jobs[id]?.phase else { return }
        let next = now + settings.startRetry
        if attempt.isTerminated || error.isFinal || next >= attempt.until { return fail(id, error.description) }
        attempt.next = next
        jobs[id]?.phase = .starting(assignment, attempt)
    }

    /// Nobody will start them any more.
    mutating func failStarting() {
        for id in inOrder(\.isStarting) { fail(id, "the dispatcher has ended before the session was started") }
    }

    private mutating func fail(_ id: String, _ error: String) {
        log(.warning, "the session of a job cannot be started: \(error)", job: id)
        actions.append(.count(.failed))
        jobs[id] = nil
        report(id, .jsFailed, error)
    }

    // MARK: End

    /// Also before `started`: a session may be shorter than the way of that message.
    mutating func ended(_ id: String, _ error: String?) {
        if jobs[id]?.isStarting == true { jobs[id] = nil } else if running.removeValue(forKey: id) == nil { return }
        report(id, error == nil ? .jsSuccess : .jsFailed, error ?? "")
    }

    mutating func terminated(_ id: String, _ now: Instant) {
        if let job = running[id] { return tell(job.assignment, now - job.since) }
        switch jobs[id]?.phase {
        case .asked, .held, .accepted: jobs[id] = nil
        case .starting(let assignment, var attempt):
            guard attempt.next == nil else { return fail(id, "the server has ended the job before its session was started") }
            attempt.isTerminated = true
            jobs[id]?.phase = .starting(assignment, attempt)
        case nil: log(.debug, "the LiveKit server ends a job that is not here", job: id)
        }
    }

    private mutating func tell(_ assignment: AgentAssignment, _ runningFor: Duration, isEarly: Bool = false) {
        actions.append(.count(.terminated))
        actions.append(.tell(AgentTermination(assignment: assignment, runningFor: runningFor, isEarly: isEarly)))
    }

    // MARK: Status

    /// Now, or when the server knows us again; then only the last of each job.
    private mutating func report(_ id: String, _ status: AgentWireJobStatus, _ error: String = "") {
        unreported.removeAll { $0.jobID == id }
        unreported.append(
            .with {
                $0.jobID = id
                $0.status = status
                $0.error = error
            })
        unreported.removeFirst(max(0, unreported.count - Self.maximumUnreported))
        if isRegistered { reportUnreported() }
    }

    mutating func reportUnreported() {
        let statuses = unreported
        unreported = []
        for status in statuses { send { $0.updateJob = status } }
    }
}

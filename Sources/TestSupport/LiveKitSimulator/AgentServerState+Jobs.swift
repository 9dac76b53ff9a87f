import LiveKitDispatch
import SwiftProtobuf

/// Rooms, dispatches and jobs.
extension AgentServerState {
    // MARK: Rooms and dispatches

    /// Makes a room; the agents without a name are asked for it. Returns the job, if there is such an agent.
    mutating func createRoom(_ name: String, metadata: String) -> String? {
        guard rooms[name] == nil else { return nil }
        let room = AgentJob.Room(sid: makeID("RM_"), name: name, metadata: metadata)
        rooms[name] = room
        guard hasUnnamedWorker else { return nil }
        return launch(dispatch: makeID("AD_"), agentName: "", room: room, metadata: "", attributes: [:])
    }

    var hasUnnamedWorker: Bool { snapshot.workers.contains { $0.agentName.isEmpty } }

    /// Asks for an agent by its name. A room that does not exist is made, with all that belongs to that.
    mutating func dispatch(agentName: String, room: String, metadata: String, attributes: [String: String]) -> String {
        _ = createRoom(room, metadata: "")
        return launch(
            dispatch: makeID("AD_"), agentName: agentName, room: rooms[room] ?? AgentJob.Room(name: room), metadata: metadata,
            attributes: attributes)
    }

    mutating func launch(
        dispatch: String, agentName: String, room: AgentJob.Room, metadata: String, attributes: [String: String]
    ) -> String {
        let job = SimulatedJob(
            id: makeID("AJ_"), dispatchID: dispatch, room: room.name, roomSID: room.sid, roomMetadata: room.metadata,
            agentName: agentName, metadata: metadata, attributes: attributes)
        snapshot.jobs.append(job)
        actions.append(.schedule(.request(job: job.id), after: configuration.requestWithin))
        let affinity = candidates(job).reduce(0) { $0 + max(0, configuration.targetLoad - $1.load) }
        if affinity > 0 { offer(job.id) } else { change(job: job.id) { $0.status = .noWorker } }
        return job.id
    }

    mutating func timer(_ timer: Timer) {
        switch timer {
        case .registration(let connection):
            if unregistered.contains(connection) { fail(connection, "a worker has not registered in time") }
        case .answer(let id, let worker):
            guard let job = snapshot.job(id), job.status == .offered, job.offeredTo.last == worker else { return }
            change(job: id) { $0.status = .timedOut }
        case .request(let id):
            if snapshot.job(id)?.status == .offered { change(job: id) { $0.status = .timedOut } }
        }
    }

    private func candidates(_ job: SimulatedJob) -> [SimulatedWorker] {
        snapshot.workers.filter { $0.agentName == job.agentName && !$0.isFull && !job.offeredTo.contains($0.id) }
    }

    /// To the worker with the least load; the real server draws lots that are weighted by it.
    mutating func offer(_ id: String) {
        guard let job = snapshot.job(id) else { return }
        guard let worker = candidates(job).filter({ $0.load < 1 }).min(by: { $0.load < $1.load }) else {
            return change(job: id) { $0.status = .noWorker }
        }
        change(job: id) { $0.offeredTo.append(worker.id) }
        actions.append(.send(availability(job, worker.id), connection: worker.connection))
        actions.append(.schedule(.answer(job: id, worker: worker.id), after: configuration.answerWithin))
    }

    mutating func answered(_ answer: AgentWireAvailabilityResponse, _ worker: String) {
        let id = answer.jobID
        if repeated.remove(id) != nil {
            if answer.available { violation("a worker takes job \(id) twice") }
            return
        }
        guard let job = snapshot.job(id), job.status == .offered, job.offeredTo.last == worker else {
            return violation("a worker answers for job \(id), which nobody has offered to it, or not any more")
        }
        if answer.terminate { return change(job: id) { $0.status = .declined } }
        guard answer.available else { return offer(id) }
        if answer.participantIdentity.isEmpty { violation("a worker takes job \(id) without an identity") }
        if answer.participantAttributes[AgentParticipant.nameAttribute] != job.agentName {
            violation("a worker takes job \(id) without the attribute \(AgentParticipant.nameAttribute)")
        }
        assign(id, answer, worker)
    }

    private mutating func assign(_ id: String, _ answer: AgentWireAvailabilityResponse, _ worker: String) {
        let (configuration, permissions) = (configuration, snapshot.workers.first { $0.id == worker }?.permissions ?? .init())
        change(job: id) {
            $0.status = .assigned
            $0.worker = worker
            $0.participant = AgentParticipant(
                identity: answer.participantIdentity, name: answer.participantName, metadata: answer.participantMetadata,
                attributes: answer.participantAttributes.merging(["lk.agent_name": $0.agentName]) { $1 })
            $0.token = AgentServerTokens.job($0, permissions: permissions, configuration)
        }
        change(worker) { $0.running.insert(id) }
        withheld.append(id)
        if !configuration.holdsAssignments { releaseAssignments() }
    }

    mutating func releaseAssignments() {
        for id in withheld { sendAssignment(id) }
        withheld = []
    }

    private mutating func sendAssignment(_ id: String) {
        guard let job = snapshot.job(id), let worker = snapshot.workers.first(where: { $0.id == job.worker }) else { return }
        let message = AgentWireServerMessage.with {
            $0.assignment.job = wire(job, worker.id)
            $0.assignment.token = job.token
        }
        actions.append(.send(message, connection: worker.connection))
    }

    // MARK: Jobs that are assigned

    mutating func updated(_ update: AgentWireUpdateJobStatus, _ worker: String) {
        let id = update.jobID
        guard let job = snapshot.job(id) else { return violation("a worker reports on the unknown job \(id)") }
        // The server does not know it any more, and a worker cannot know that.
        guard !job.isForgotten, !job.isTerminated || !job.isOver else { return }
        guard job.worker == worker, !job.isOver else { return violation("a worker reports on job \(id), which is not its own or is over") }
        switch update.status {
        case .jsRunning: change(job: id) { $0.status = .running }
        case .jsSuccess, .jsFailed:
            end(id, update.status == .jsSuccess ? .succeeded : .failed, update.error)
        case .jsPending, .UNRECOGNIZED: violation("a worker reports the status \(update.status.rawValue) for job \(id)")
        }
    }

    private mutating func end(_ id: String, _ status: SimulatedJob.Status, _ error: String) {
        let worker = snapshot.job(id)?.worker
        change(job: id) {
            $0.status = status
            $0.error = error
        }
        if let worker { change(worker) { $0.running.remove(id) } }
    }

    /// `agentLeft`: its participant is not in the room any more; else somebody has deleted the dispatch.
    mutating func terminate(_ id: String, agentLeft: Bool) {
        guard let job = snapshot.job(id), let worker = snapshot.workers.first(where: { $0.id == job.worker }) else { return }
        actions.append(.send(.with { $0.termination.jobID = id }, connection: worker.connection))
        change(job: id) { $0.isTerminated = true }
        end(id, agentLeft ? .failed : .succeeded, agentLeft ? "agent worker left the room" : "")
    }

    mutating func end(dispatch: String) {
        for job in snapshot.jobs where job.dispatchID == dispatch && !job.isOver { terminate(job.id, agentLeft: false) }
    }

    mutating func left(_ identity: String, room: String) {
        for job in snapshot.jobs where job.room == room && job.participant.identity == identity && !job.isOver {
            terminate(job.id, agentLeft: true)
        }
    }

    // MARK: What a real server does not do

    /// Offers a job once more to the worker that has it.
    mutating func offerAgain(_ id: String) {
        guard let job = snapshot.job(id), let worker = snapshot.workers.first(where: { $0.id == (job.worker ?? job.offeredTo.last) })
        else { return }
        repeated.insert(id)
        actions.append(.send(availability(job, worker.id), connection: worker.connection))
    }

    /// Assigns a job that was never offered. Returns its id.
    mutating func assignUnasked(agentName: String, room: String) -> String? {
        guard let worker = snapshot.worker(named: agentName) else { return nil }
        let id = makeID("AJ_")
        snapshot.jobs.append(
            SimulatedJob(
                id: id, dispatchID: makeID("AD_"), room: room, roomSID: makeID("RM_"), roomMetadata: "", agentName: agentName, metadata: "",
                attributes: [:]))
        assign(id, .with { $0.participantIdentity = "agent-\(id)" }, worker.id)
        return id
    }

    // MARK: Messages

    private func availability(_ job: SimulatedJob, _ worker: String) -> AgentWireServerMessage {
        .with { $0.availability.job = wire(job, worker) }
    }

    private func wire(_ job: SimulatedJob, _ worker: String) -> AgentWireJob {
        .with {
            $0.id = job.id
            $0.type = .jtRoom
            $0.dispatchID = job.dispatchID
            $0.agentName = job.agentName
            $0.metadata = job.metadata
            $0.attributes = job.attributes
            $0.room.sid = job.roomSID
            $0.room.name = job.room
            $0.room.metadata = job.roomMetadata
            // The server counts it as running as soon as it asks.
            $0.state.status = .jsRunning
            $0.state.workerID = worker
            $0.state.participantIdentity = job.participant.identity
        }
    }
}

extension SimulatedJob {
    var isOver: Bool {
        switch status {
        case .offered, .assigned, .running: false
        case .succeeded, .failed, .declined, .noWorker, .timedOut: true
        }
    }
}

extension SimulatedWorker.Permissions {
    init(_ wire: AgentWireParticipantPermission) {
        self.init()
        canSubscribe = wire.canSubscribe
        canPublish = wire.canPublish
        canPublishData = wire.canPublishData
        canUpdateMetadata = wire.canUpdateMetadata
        isHidden = wire.hidden
    }
}

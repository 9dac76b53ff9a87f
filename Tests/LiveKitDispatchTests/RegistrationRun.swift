import SwiftProtobuf

@testable import LiveKitDispatch

/// A registration and a clock that only the test moves.
struct RegistrationRun {
    typealias Action = AgentRegistration.Action

    var registration: AgentRegistration
    var now = ContinuousClock.now

    init(agentName: String = "lead", _ configure: (inout AgentRegistrationSettings) -> Void = { _ in }) {
        var settings = AgentRegistrationSettings(agentName: agentName)
        configure(&settings)
        registration = AgentRegistration(settings, url: "ws://livekit:7880", now: now, seed: 1)
    }

    /// Registered, with room for `free` sessions.
    static func registered(
        free: Double = 10, agentName: String = "lead", _ configure: (inout AgentRegistrationSettings) -> Void = { _ in }
    ) -> RegistrationRun {
        var run = RegistrationRun(agentName: agentName, configure)
        run.handle(.capacity(DispatchCapacity(free: free, total: 10)))
        run.connect()
        run.register()
        return run
    }

    @discardableResult
    mutating func handle(_ event: AgentRegistration.Event) -> [Action] { registration.handle(event, now: now) }

    /// Time passes in steps of 100 ms.
    @discardableResult
    mutating func pass(_ duration: Duration) -> [Action] {
        let end = now + duration
        var actions: [Action] = []
        while now < end {
            now = min(end, now + .milliseconds(100))
            actions += handle(.tick)
        }
        return actions
    }

    @discardableResult
    mutating func connect() -> [Action] { handle(.tick) + handle(.opened) }

    @discardableResult
    mutating func register(workerID: String = "AW_1") -> [Action] {
        handle(.received(.with { $0.register.workerID = workerID }))
    }

    @discardableResult
    mutating func offer(_ id: String) -> [Action] {
        handle(.received(.with { $0.availability.job = Self.job(id) }))
    }

    /// Offered, and wanted by the owner.
    @discardableResult
    mutating func offerAndAccept(_ id: String, as participant: AgentParticipant = AgentParticipant()) -> [Action] {
        offer(id) + handle(.answered(id, .accept(participant)))
    }

    @discardableResult
    mutating func assign(_ id: String, token: String = "token", url: String? = nil) -> [Action] {
        handle(
            .received(
                .with {
                    $0.assignment.job = Self.job(id)
                    $0.assignment.token = token
                    if let url { $0.assignment.url = url }
                }))
    }

    /// The whole way.
    @discardableResult
    mutating func runJob(_ id: String) -> [Action] {
        offerAndAccept(id) + assign(id) + handle(.started(id))
    }

    static func job(_ id: String) -> AgentWireJob {
        .with {
            $0.id = id
            $0.agentName = "lead"
            $0.dispatchID = "AD_1"
            $0.metadata = "{\"lead\": 7}"
            $0.attributes = ["tier": "gold"]
            $0.room.sid = "RM_1"
            $0.room.name = "call-1"
            $0.room.metadata = "of the room"
        }
    }
}

extension [AgentRegistration.Action] {
    var messages: [AgentWireWorkerMessage.OneOf_Message] {
        compactMap { if case .send(let message) = $0 { message.message } else { nil } }
    }

    var answers: [AgentWireAvailabilityResponse] {
        messages.compactMap { if case .availability(let answer) = $0 { answer } else { nil } }
    }

    var updates: [AgentWireUpdateWorkerStatus] {
        messages.compactMap { if case .updateWorker(let update) = $0 { update } else { nil } }
    }

    var statuses: [AgentWireUpdateJobStatus] {
        messages.compactMap { if case .updateJob(let status) = $0 { status } else { nil } }
    }

    var asked: [String] { compactMap { if case .ask(let job) = $0 { job.id } else { nil } } }
    var begun: [AgentAssignment] { compactMap { if case .begin(let assignment, _) = $0 { assignment } else { nil } } }
    var told: [AgentTermination] { compactMap { if case .tell(let termination) = $0 { termination } else { nil } } }
    var counted: [DispatchOutcome] { compactMap { if case .count(let outcome) = $0 { outcome } else { nil } } }
    var closes: Bool { contains { if case .close = $0 { true } else { false } } }
    var connects: Bool { contains(.connect) }
}

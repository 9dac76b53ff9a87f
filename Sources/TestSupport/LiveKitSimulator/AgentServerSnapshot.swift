package import LiveKitDispatch

/// What a simulated server knows at one moment.
package struct AgentServerSnapshot: Sendable {
    /// Registered and connected, in the order of their registration.
    package var workers: [SimulatedWorker] = []
    /// All jobs that there have been, in their order.
    package var jobs: [SimulatedJob] = []
    /// What a worker did that a server refuses, ignores or warns of.
    package var violations: [String] = []
    /// Connections that were not let in.
    package var refusals = 0
    /// Connections that were.
    package var attempts = 0
    /// Registrations since the start.
    package var registrations = 0

    package func job(_ id: String) -> SimulatedJob? { jobs.first { $0.id == id } }
    package func worker(named name: String) -> SimulatedWorker? { workers.last { $0.agentName == name } }
}

/// A worker as a server sees it.
package struct SimulatedWorker: Sendable, Hashable {
    package struct Permissions: Sendable, Hashable {
        package var canSubscribe = true
        package var canPublish = true
        package var canPublishData = true
        package var canUpdateMetadata = true
        package var isHidden = false

        package init() {}
    }

    package let id: String
    let connection: Int
    package var agentName = ""
    package var version = ""
    package var permissions = Permissions()
    package var isFull = false
    package var load: Float = 0
    package var jobCount = 0
    /// Status messages.
    package var updates = 0
    package var pings = 0
    /// Jobs that it said it has, after its registration.
    package var migrated: [String] = []
    /// Jobs that were assigned to it and are not over.
    package var running: Set<String> = []
}

/// A job as a server sees it.
package struct SimulatedJob: Sendable, Hashable {
    package enum Status: Sendable, Hashable {
        /// Workers are asked.
        case offered
        /// A worker said yes.
        case assigned
        /// Its worker says that it runs.
        case running
        case succeeded
        case failed
        /// A worker said that nobody need be asked.
        case declined
        /// Nobody could be asked.
        case noWorker
        /// Nobody has answered in time.
        case timedOut
    }

    package let id: String
    package let dispatchID: String
    package let room: String
    package let roomSID: String
    package let roomMetadata: String
    package let agentName: String
    package let metadata: String
    package let attributes: [String: String]
    package var status = Status.offered
    package var error = ""
    /// Whom it was offered to, in order.
    package var offeredTo: [String] = []
    /// Its worker.
    package var worker: String?
    package var participant = AgentParticipant()
    package var token = ""
    /// The connection of its worker has ended: no status is taken any more.
    package var isForgotten = false
    /// The server has sent a termination.
    package var isTerminated = false
}

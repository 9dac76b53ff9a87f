package import NIOCore

/// From the dispatcher that holds the caller's connection to the worker that owns the session.
package enum MessageToWorker: Sendable, Equatable {
    /// The first message of a link.
    case attach(RelayAttach)
    /// A message of the caller as it came off its socket.
    case caller(number: UInt64, arrivalMicroseconds: Int64, text: Bool, bytes: ByteBuffer)
    /// The caller's socket does not take more (true) or takes again (false): playout stands still meanwhile.
    case throttled(Bool)
    /// The caller is gone, for good (it hung up) or perhaps to come back. No message follows but a later `attach` on a new link.
    case detached(reason: String, isFinal: Bool)
    /// Another worker was attached with a higher fence: stop at once.
    case revoked(fence: UInt64)
    /// So many samples of the link's agent audio went to the caller's socket or were dropped; said every 100 ms of audio.
    case taken(samples: UInt64)
    /// Instead of `attach`: this is a control connection, on which the worker beats. The ticket is for session "watch".
    case watch(ticket: String)
}

/// From the worker to the dispatcher.
package enum MessageToRelay: Sendable, Equatable {
    /// The session is claimed with this fence; media may flow.
    case accepted(fence: UInt64)
    case refused(code: RelayRefusal, reason: String)
    /// Agent audio in the backend's own wire format. `firstSample` counts within the reply.
    case agent(fence: UInt64, reply: UInt32, firstSample: Int64, samples: UInt32, text: Bool, bytes: ByteBuffer)
    /// Anything else for the caller, in order with the audio; never dropped.
    case control(fence: UInt64, text: Bool, bytes: ByteBuffer)
    /// Drop what is held of this reply and those before it; overtakes audio. The caller is taken to have heard the reply up to `sample`.
    case clear(fence: UInt64, reply: UInt32, sample: Int64)
    /// Messages of the caller up to this number are in the log; they need not be kept.
    case release(number: UInt64)
    /// The worker gives the session up; its log has everything. Messages from here on are the next owner's.
    case handover(fence: UInt64)
    /// The conversation is over: close the caller's socket with this WebSocket code.
    case end(code: UInt16, reason: String)
    /// The worker lives; sent on control connections every 100 ms.
    case beat(draining: Bool)
    /// On control connections: the worker has a session in a room whose dispatcher is gone; whoever gets this attaches to it with the reason `adopt`.
    case adopt(RelayAdoption)
}

/// Why a worker does not take a session.
package enum RelayRefusal: UInt8, Sendable, CaseIterable {
    case badTicket = 1
    case full = 2
    case draining = 3
    case claimLost = 4
    case unknownAgent = 5
    case storeUnavailable = 6
    case badHandshake = 7
    case incompatible = 8
    case providerUnavailable = 9
    /// The client has connected again since: this connection is no longer the session's.
    case superseded = 10
    /// The session is closed.
    case over = 11
}

/// A session that a worker has and no dispatcher knows of.
package struct RelayAdoption: Sendable, Equatable {
    package var session: String
    package var tenant: String
    package var backend: String
    package var fence: UInt64
    package var attachment: String
    package var generation: UInt32
    package var weight: Double
    package var labels: Set<String>

    package init(
        session: String, tenant: String, backend: String, fence: UInt64, attachment: String, generation: UInt32, weight: Double,
        labels: Set<String>
    ) {
        self.session = session
        self.tenant = tenant
        self.backend = backend
        self.fence = fence
        self.attachment = attachment
        self.generation = generation
        self.weight = weight
        self.labels = labels
    }
}

/// Everything that a worker needs to take a session and its caller.
package struct RelayAttach: Sendable, Equatable {
    /// Version of this link's protocol; a worker refuses what it does not know.
    package static let currentVersion: UInt16 = 4

    package var version: UInt16 = currentVersion
    /// Signed ticket (session, fence, role).
    package var ticket: String
    package var session: String
    package var tenant: String
    /// One per connection of the caller; the one with the highest generation wins.
    package var attachment: String
    /// 1 for the session's first connection, higher for each later one.
    package var generation: UInt32
    /// What the client may come back with; empty where it cannot.
    package var resumeToken: String
    package var backend: String
    /// The fence that the dispatcher has last seen; the worker's claim is compare-and-set on it.
    package var seenFence: UInt64
    /// Number of the first kept caller message that follows.
    package var firstKept: UInt64
    /// Number of the last kept message: what comes behind it comes live. 0: none is kept.
    package var lastKept: UInt64
    /// The kept messages are longer than a pause: an utterance may be waiting for its answer.
    package var isUrgent: Bool
    /// How far agent audio was delivered before: reply (0 = none) and sample within it.
    package var deliveredReply: UInt32
    package var deliveredSample: Int64
    /// The reservation in Redis that this attach uses up.
    package var reservation: String
    /// What the session weighs on a worker.
    package var weight: Double
    /// What the session needs of a worker, for whoever looks for the next one.
    package var labels: Set<String>
    /// opened, takeover, drain, adopt.
    package var reason: String

    package init(
        ticket: String, session: String, tenant: String, attachment: String, generation: UInt32 = 1, resumeToken: String = "",
        backend: String, seenFence: UInt64, firstKept: UInt64 = 1, lastKept: UInt64 = 0, isUrgent: Bool = false,
        deliveredReply: UInt32 = 0, deliveredSample: Int64 = 0, reservation: String, weight: Double = 1,
        labels: Set<String> = [], reason: String = "opened"
    ) {
        self.ticket = ticket
        self.session = session
        self.tenant = tenant
        self.attachment = attachment
        self.generation = generation
        self.resumeToken = resumeToken
        self.backend = backend
        self.seenFence = seenFence
        self.firstKept = firstKept
        self.lastKept = lastKept
        self.isUrgent = isUrgent
        self.deliveredReply = deliveredReply
        self.deliveredSample = deliveredSample
        self.reservation = reservation
        self.weight = weight
        self.labels = labels
        self.reason = reason
    }
}

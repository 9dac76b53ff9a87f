import NIOCore

/// The life of a client's connection: connecting, greeting, replies in order, deadlines, trying again. No I/O, no clock.
///
/// Redis replies in the order of the commands, so that a queue of ids is all it takes to know whose reply has come.
struct RedisConnectionMachine {
    typealias ID = UInt64

    struct Request {
        let id: ID
        let deadline: NIODeadline
    }

    enum Phase: Equatable {
        case idle
        case connecting
        /// Connected; so many replies to the greeting are still to come.
        case greeting(remaining: Int)
        case ready
        /// The last attempt failed; the next comes after a while.
        case waiting
        case stopped
    }

    enum Action: Equatable {
        case connect
        case greet
        /// Send these commands, in this order.
        case write([ID])
        case complete(ID, RESPValue)
        case fail([ID], RedisError)
        /// Close the connection, if there is one.
        case disconnect
        /// Call `retry()` after the wait before attempt number so-and-so, counted from 0.
        case retryLater(attempt: Int)

        static func == (left: Action, right: Action) -> Bool {
            switch (left, right) {
            case (.connect, .connect), (.greet, .greet), (.disconnect, .disconnect): true
            case (.write(let left), .write(let right)): left == right
            case (.complete(let left, let one), .complete(let right, let other)): left == right && one == other
            case (.fail(let left, let one), .fail(let right, let other)): left == right && one.code == other.code
            case (.retryLater(let left), .retryLater(let right)): left == right
            default: false
            }
        }
    }

    private(set) var phase = Phase.idle
    private var attempt = 0
    private var queued: [Request] = []
    private var sent = CircularBuffer<Request>()
    private var lastError: RedisError?
    private let limit: Int
    private let greetingReplies: Int

    /// - Parameter limit: commands that may be waiting, sent or not.
    init(limit: Int, greetingReplies: Int) {
        self.limit = max(1, limit)
        self.greetingReplies = greetingReplies
    }

    /// Commands waiting for a reply.
    var inFlight: Int { queued.count + sent.count }

    /// When the oldest command's time is up; nil when none is waiting.
    var nextDeadline: NIODeadline? {
        // Each list is in the order of submission; blocking reads have clients of their own, so that the first is the next.
        switch (sent.first?.deadline, queued.first?.deadline) {
        case (let one?, let other?): min(one, other)
        case (let one, let other): one ?? other
        }
    }

    /// Somebody wants these commands sent. They are sent in this order and together, or refused together.
    mutating func submit(_ requests: [Request]) -> [Action] {
        let ids = requests.map(\.id)
        guard inFlight + requests.count <= limit else {
            return [.fail(ids, RedisError(.busy, "\(inFlight) commands are waiting for Redis, more are not accepted."))]
        }
        switch phase {
        case .ready:
            sent.append(contentsOf: requests)
            return [.write(ids)]
        case .connecting, .greeting:
            queued += requests
            return []
        case .idle:
            queued += requests
            phase = .connecting
            return [.connect]
        case .waiting:
            return [.fail(ids, lastError ?? RedisError(.unavailable, "There is no connection to Redis."))]
        case .stopped:
            return [.fail(ids, RedisError(.closed, "The Redis client is closed."))]
        }
    }

    /// Connect now, without waiting for a command.
    mutating func start() -> [Action] {
        guard phase == .idle else { return [] }
        phase = .connecting
        return [.connect]
    }

    mutating func connected() -> [Action] {
        switch phase {
        case .connecting:
            phase = .greeting(remaining: greetingReplies)
            return [.greet]
        case .idle, .greeting, .ready, .waiting, .stopped:
            return [.disconnect]
        }
    }

    mutating func received(_ value: RESPValue) -> [Action] {
        switch phase {
        case .greeting(let remaining):
            if case .error(let message) = value {
                return ended(RedisError(.unavailable, "Redis does not let us in: \(message)"), disconnect: true)
            }
            return greeted(remaining: remaining - 1)
        case .ready:
            guard let request = sent.popFirst() else {
                return ended(
                    RedisError(.protocolViolation, "Redis sent a reply that nobody asked for."), disconnect: true)
            }
            return [.complete(request.id, value)]
        case .idle, .connecting, .waiting, .stopped:
            return []
        }
    }

    private mutating func greeted(remaining: Int) -> [Action] {
        guard remaining <= 0 else {
            phase = .greeting(remaining: remaining)
            return []
        }
        phase = .ready
        attempt = 0
        lastError = nil
        guard !queued.isEmpty else { return [] }
        defer { queued = [] }
        sent.append(contentsOf: queued)
        return [.write(queued.map(\.id))]
    }

    /// The attempt to connect failed, or the connection ended.
    mutating func disconnected(_ error: RedisError) -> [Action] {
        switch phase {
        case .connecting, .greeting, .ready: ended(error, disconnect: false)
        case .idle, .waiting, .stopped: []
        }
    }

    /// Redis sent something that cannot be read.
    mutating func violated(_ error: RedisError) -> [Action] {
        switch phase {
        case .greeting, .ready: ended(error, disconnect: true)
        case .idle, .connecting, .waiting, .stopped: []
        }
    }

    /// Looks for commands whose time is up. One is enough to give the connection up: later replies would be as late.
    mutating func check(now: NIODeadline) -> [Action] {
        guard let deadline = nextDeadline, deadline <= now else { return [] }
        switch phase {
        case .connecting, .greeting, .ready:
            return ended(RedisError(.timeout, "Redis did not answer in time."), disconnect: true)
        case .idle, .waiting, .stopped:
            return []
        }
    }

    mutating func retry() -> [Action] {
        guard phase == .waiting else { return [] }
        phase = .connecting
        return [.connect]
    }

    mutating func stop() -> [Action] {
        guard phase != .stopped else { return [] }
        phase = .stopped
        return takeAll(RedisError(.closed, "The Redis client was closed.")) + [.disconnect]
    }

    private mutating func ended(_ error: RedisError, disconnect: Bool) -> [Action] {
        phase = .waiting
        lastError = RedisError(.unavailable, "There is no connection to Redis.", cause: error)
        defer { attempt += 1 }
        return takeAll(error) + (disconnect ? [.disconnect] : []) + [.retryLater(attempt: attempt)]
    }

    private mutating func takeAll(_ error: RedisError) -> [Action] {
        let ids = sent.map(\.id) + queued.map(\.id)
        sent.removeAll()
        queued = []
        return ids.isEmpty ? [] : [.fail(ids, error)]
    }
}

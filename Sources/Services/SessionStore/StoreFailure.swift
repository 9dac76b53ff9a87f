import GRPCCore
import RedisClient
import SessionLog

/// What callers of the service are told. The codes are those that `StoreClient` reads.
enum StoreFailure {
    /// A wrong tenant gets this too: whether a session exists is nobody else's business.
    static func notFound(_ what: String) -> RPCError { RPCError(code: .notFound, message: "there is no such \(what)") }

    static func invalid(_ what: String) -> RPCError { RPCError(code: .invalidArgument, message: what) }

    static func full(retryAfter milliseconds: Int) -> RPCError {
        RPCError(
            code: .resourceExhausted, message: "Redis is short of memory, no new sessions for now",
            metadata: [StoreClient.retryAfterKey: "\(milliseconds)"])
    }

    static func unavailable(_ cause: any Error) -> RPCError {
        RPCError(code: .unavailable, message: "Redis does not answer: \(cause)")
    }

    static let slowWorker = RPCError(code: .resourceExhausted, message: "the worker does not read its answers")

    static let stopping = RPCError(code: .unavailable, message: "this session store is stopping, use another")

    static let unexpected = RPCError(
        code: .internalError, message: "Redis gave an answer that does not belong to the question")
}

/// Where limits are kept that several processes share. Errors mean that nobody can say; what is refused is an answer.
package protocol LimitStore: Sendable {
    /// Takes from all buckets or from none. Returns what stands in the way, nil when the tokens were taken.
    func take(_ buckets: [BucketRequest]) async throws -> LimitRefusal?
    /// Takes whatever is there, below nothing if need be; a negative count gives back.
    func charge(_ buckets: [BucketRequest]) async throws
    /// Takes all places for `member` or none. What it holds already stays its own and counts once.
    func acquire(_ member: String, _ leases: [LeaseRequest]) async throws -> LimitRefusal?
    /// Lengthens leases, and takes those again that have lapsed or that the store has forgotten, also above the maximum: their holders
    /// are alive.
    func renew(_ leases: [HeldLease]) async throws
    func release(_ leases: [HeldLease]) async throws
    /// Whether this lease has been renewed lately.
    func isHeld(_ lease: HeldLease) async throws -> Bool
}

import RateLimits
import Synchronization

/// Does what a test says and remembers what it was asked.
final class FakeLimitStore: LimitStore {
    struct Away: Error {}
    enum Mood: Sendable {
        case answers(LimitRefusal?)
        case away
        /// Answers nothing until whoever asked gives up.
        case silent
    }
    struct Asked: Sendable {
        var taken: [[BucketRequest]] = []
        var charged: [[BucketRequest]] = []
        var acquired: [String] = []
        var renewed: [[HeldLease]] = []
        var released: [HeldLease] = []
    }

    private let state = Mutex((mood: Mood.answers(nil), asked: Asked()))

    var asked: Asked { state.withLock { $0.asked } }
    func feel(_ mood: Mood) { state.withLock { $0.mood = mood } }

    func take(_ buckets: [BucketRequest]) async throws -> LimitRefusal? {
        try await answer { $0.taken.append(buckets) }
    }
    func charge(_ buckets: [BucketRequest]) async throws { _ = try await answer { $0.charged.append(buckets) } }
    func acquire(_ member: String, _ leases: [LeaseRequest]) async throws -> LimitRefusal? {
        try await answer { $0.acquired.append(member) }
    }
    func renew(_ leases: [HeldLease]) async throws { _ = try await answer { $0.renewed.append(leases) } }
    func release(_ leases: [HeldLease]) async throws { _ = try await answer { $0.released += leases } }
    func isHeld(_ lease: HeldLease) async throws -> Bool { true }

    private func answer(_ note: (inout Asked) -> Void) async throws -> LimitRefusal? {
        let mood = state.withLock { state in
            note(&state.asked)
            return state.mood
        }
        switch mood {
        case .answers(let refusal): return refusal
        case .away: throw Away()
        case .silent:
            // Until whoever asks gives up and cancels.
            try await Task.sleep(for: .seconds(3_600))
            return nil
        }
    }
}

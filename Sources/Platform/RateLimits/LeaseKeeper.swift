import Resilience
import Synchronization

/// Holds the places that this process has taken of limits on concurrency: renews them while they are held, and gives them back.
///
/// While Redis is away a place is given when this process holds fewer than its share of them. What it holds is told to Redis again as soon
/// as that answers, also above the maximum. Places of a process that dies lapse after 15 s.
package final class LeaseKeeper: Sendable {
    /// A third of a lease's life, so that one lost renewal costs nothing.
    private static let renewalInterval = Duration.seconds(5)

    private struct Place: Hashable {
        var what: String
        var subject: LimitSubject
    }

    private struct Member {
        var places: [Place]
        /// How many `Lease`s stand for it.
        var holders: Int
    }

    private struct State {
        var members: [String: Member] = [:]
        var counts: [Place: Int] = [:]
        /// To be told to Redis: members with a new name, and leases that have ended.
        var begun: [HeldLease] = []
        var ended: [HeldLease] = []
    }

    private let shared: SharedLimits
    private let localShare: Double
    private let clock: any MonotonicClock
    private let state = Mutex(State())
    private let changes = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))

    /// - Parameter localShare: the part of each maximum that this process gives out while Redis is away
    package init(_ shared: SharedLimits, localShare: Double = 1) {
        self.shared = shared
        self.localShare = min(1, max(0, localShare))
        clock = shared.clock
    }

    /// Members held now.
    package var count: Int { state.withLock { $0.members.count } }

    /// Takes all places for `member` or none; what the member holds already counts once. Release the lease, or let go of it.
    ///
    /// - Throws: which maximum of whom is reached.
    package func acquire(_ member: String, _ requests: [LeaseRequest]) async throws(LimitRefusal) -> Lease {
        guard let what = requests.first?.what else { return Lease(member, keeper: self) }
        let answer = await shared.ask(what) { store in Answer(refusal: try await store.acquire(member, requests)) }
        let refusal: LimitRefusal?
        if let answer { refusal = answer.refusal } else { refusal = refuseLocally(member, requests) }
        if let refusal {
            shared.refused(refusal)
            throw refusal
        }
        return hold(member, requests)
    }

    /// Renews and gives back until cancelled.
    package func run() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { [clock] in
                while (try? await clock.sleep(for: Self.renewalInterval)) != nil { await self.renew() }
            }
            group.addTask { [changes] in
                for await _ in changes.stream { await self.tell() }
            }
            await group.next()
            group.cancelAll()
        }
    }

    /// Renews everything that is held, at once.
    package func renew() async {
        let held = state.withLock { state in
            state.members.flatMap { name, member in
                member.places.map { HeldLease(member: name, what: $0.what, subject: $0.subject) }
            }
        }
        guard !held.isEmpty else { return }
        _ = await shared.ask("renewal") { store in try await store.renew(held) }
    }

    /// Tells Redis at once what has begun and ended since the last time.
    package func tell() async {
        let (begun, ended) = state.withLock { state in
            defer { (state.begun, state.ended) = ([], []) }
            // A member that came back meanwhile is not given up.
            return (state.begun, state.ended.filter { state.members[$0.member] == nil })
        }
        guard !begun.isEmpty || !ended.isEmpty else { return }
        _ = await shared.ask("renewal") { store in
            try await store.renew(begun)
            try await store.release(ended)
        }
    }

    // MARK: State

    private struct Answer: Sendable { var refusal: LimitRefusal? }

    private func refuseLocally(_ member: String, _ requests: [LeaseRequest]) -> LimitRefusal? {
        state.withLock { state in
            if state.members[member] != nil { return nil }
            return requests.first { request in
                let share = max(1, Int((Double(request.maximum) * localShare).rounded(.down)))
                let reserve = Int((Double(request.reserve) * localShare).rounded(.up))
                return state.counts[Place(what: request.what, subject: request.subject), default: 0] >= share - reserve
            }.map { LimitRefusal($0) }
        }
    }

    private func hold(_ member: String, _ requests: [LeaseRequest]) -> Lease {
        state.withLock { state in
            if state.members[member] != nil {
                state.members[member]?.holders += 1
                return
            }
            let places = requests.map { Place(what: $0.what, subject: $0.subject) }
            state.members[member] = Member(places: places, holders: 1)
            for place in places { state.counts[place, default: 0] += 1 }
        }
        return Lease(member, keeper: self)
    }

    /// Nothing happens when the new name is held already or the old one is not.
    fileprivate func rename(_ old: String, to new: String) -> Bool {
        let isRenamed = state.withLock { state in
            guard old != new, state.members[new] == nil, let member = state.members.removeValue(forKey: old) else {
                return false
            }
            state.members[new] = member
            for place in member.places {
                state.begun.append(HeldLease(member: new, what: place.what, subject: place.subject))
                state.ended.append(HeldLease(member: old, what: place.what, subject: place.subject))
            }
            return true
        }
        changes.continuation.yield()
        return isRenamed
    }

    fileprivate func release(_ name: String) {
        state.withLock { state in
            guard var member = state.members.removeValue(forKey: name) else { return }
            member.holders -= 1
            guard member.holders == 0 else {
                state.members[name] = member
                return
            }
            for place in member.places {
                state.counts[place, default: 1] -= 1
                if state.counts[place] == 0 { state.counts[place] = nil }
                state.ended.append(HeldLease(member: name, what: place.what, subject: place.subject))
            }
        }
        changes.continuation.yield()
    }
}

/// Places that are held until they are released, at the latest when nobody has this any more.
package final class Lease: Sendable {
    private let keeper: LeaseKeeper
    /// Nil when released.
    private let name: Mutex<String?>

    fileprivate init(_ member: String, keeper: LeaseKeeper) {
        self.keeper = keeper
        name = Mutex(member)
    }

    deinit { release() }

    /// The member that holds the places; nil when released.
    package var member: String? { name.withLock { $0 } }

    /// Gives the places another holder, for example the session that was not known yet when they were taken.
    package func rename(to new: String) {
        name.withLock { name in
            if let old = name, keeper.rename(old, to: new) { name = new }
        }
    }

    /// Gives the places back. Harmless when that was done before.
    package func release() {
        let old = name.withLock { name in
            defer { name = nil }
            return name
        }
        if let old { keeper.release(old) }
    }
}

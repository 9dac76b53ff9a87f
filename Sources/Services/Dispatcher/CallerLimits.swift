import Cryptography
package import RateLimits

/// The limits of callers. Nil means no limit.
package struct CallerLimitSettings: Sendable, Hashable {
    /// Connection attempts and API requests.
    package var address: RateLimit?
    package var key: RateLimit?
    package var tenant: RateLimit?
    /// Sessions with a caller at the same time.
    package var keySessions: Int?
    package var tenantSessions: Int?
    /// Messages of one caller.
    package var messages: RateLimit?
    /// Messages of all callers of a tenant.
    package var tenantMessages: RateLimit?

    package init(
        address: RateLimit? = nil, key: RateLimit? = nil, tenant: RateLimit? = nil, keySessions: Int? = nil,
        tenantSessions: Int? = nil, messages: RateLimit? = nil, tenantMessages: RateLimit? = nil
    ) {
        self.address = address
        self.key = key
        self.tenant = tenant
        self.keySessions = keySessions
        self.tenantSessions = tenantSessions
        self.messages = messages
        self.tenantMessages = tenantMessages
    }
}

/// Holds callers to their limits, and tells Redis which sessions have a caller here.
package final class CallerLimits: Sendable {
    /// What the leases of sessions count, under the tenant and the key: `HeldLease(member: session, what: .sessions, subject: .tenant(id))`
    /// is held while a dispatcher has a caller of the session.
    package static let sessions = "sessions"

    private let settings: CallerLimitSettings
    private let limiter: RateLimiter
    private let keeper: LeaseKeeper
    private let tenantMessages: TenantMessages

    package init(_ settings: CallerLimitSettings, shared: SharedLimits) {
        self.settings = settings
        limiter = RateLimiter(shared)
        keeper = LeaseKeeper(shared)
        tenantMessages = TenantMessages(limiter, limit: settings.tenantMessages)
    }

    /// Counts an attempt to connect or an API request: of its address, and of the key and its tenant where there is a good one.
    package func attempt(address: String, holder: KeyHolder?) async throws(AdmissionError) {
        var buckets: [BucketRequest] = []
        func add(_ limit: RateLimit?, _ subject: LimitSubject) {
            if let limit { buckets.append(BucketRequest("connections", subject, limit)) }
        }
        add(settings.address, .address(CallerAddress.subject(address)))
        if let holder {
            add(settings.key, .key(holder.key))
            add(settings.tenant, .tenant(holder.tenant))
        }
        do { try await limiter.take(buckets) } catch { throw AdmissionError(error) }
    }

    /// A place among the concurrent sessions of tenant and key. `session` is nil when it is not known yet: `rename` the lease to it then.
    /// A session has one place, however many connections hold it.
    package func place(session: String? = nil, tenant: String, key: String?) async throws(AdmissionError) -> Lease {
        var places = [LeaseRequest(Self.sessions, .tenant(tenant), maximum: settings.tenantSessions ?? .max)]
        if let key { places.append(LeaseRequest(Self.sessions, .key(key), maximum: settings.keySessions ?? .max)) }
        let member: String
        do { member = try session ?? "new-" + RandomBytes.token(bytes: 12) } catch { throw .unavailable }
        do { return try await keeper.acquire(member, places) } catch { throw AdmissionError(error) }
    }

    /// The limiter of one caller's connection.
    package func messageLimiter(now: ContinuousClock.Instant) -> MessageLimiter {
        MessageLimiter(settings.messages, now: now)
    }

    /// Counts one message among those of all callers of the tenant; what is returned cuts this caller off.
    package func receive(tenant: String) -> AdmissionError? { tenantMessages.receive(tenant: tenant) }

    /// Renews leases and counts messages until cancelled.
    package func run() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.keeper.run() }
            group.addTask { await self.tenantMessages.run() }
        }
    }
}

extension AdmissionError {
    init(_ refusal: LimitRefusal) {
        let seconds = refusal.retryAfter.map { max(1, Int(($0 / .seconds(1)).rounded(.up))) }
        let advice = seconds.map { "; try again in \($0) s" } ?? ""
        self.init(
            .rateLimited, "too many \(refusal.what) of \(refusal.subject): \(refusal.limit)\(advice)",
            retryAfterSeconds: seconds)
    }
}

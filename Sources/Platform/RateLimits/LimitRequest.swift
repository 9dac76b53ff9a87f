/// Tokens that something takes from the bucket of one subject.
package struct BucketRequest: Sendable, Hashable {
    /// What is counted, as in keys, metrics and refusals: `connections`.
    package var what: String
    package var subject: LimitSubject
    package var limit: RateLimit
    package var count: Double
    /// Tokens that must be left afterwards, for what is more important.
    package var reserve: Double

    package init(_ what: String, _ subject: LimitSubject, _ limit: RateLimit, count: Double = 1, reserve: Double = 0) {
        self.what = what
        self.subject = subject
        self.limit = limit
        self.count = count
        self.reserve = reserve
    }
}

/// A place among those that one subject may hold at the same time.
package struct LeaseRequest: Sendable, Hashable {
    /// What is counted, as in keys, metrics and refusals: `sessions`.
    package var what: String
    package var subject: LimitSubject
    package var maximum: Int
    /// Places that must be left afterwards, for what is more important.
    package var reserve: Int

    package init(_ what: String, _ subject: LimitSubject, maximum: Int, reserve: Int = 0) {
        self.what = what
        self.subject = subject
        self.maximum = maximum
        self.reserve = reserve
    }
}

/// A place that is held.
package struct HeldLease: Sendable, Hashable {
    /// Who holds it: a session id, or the number of a call to a provider.
    package var member: String
    package var what: String
    package var subject: LimitSubject

    package init(member: String, what: String, subject: LimitSubject) {
        self.member = member
        self.what = what
        self.subject = subject
    }
}

/// Which limit of whom does not allow what was asked for, and when to ask again.
package struct LimitRefusal: Error, Sendable, Hashable, CustomStringConvertible {
    package var what: String
    package var subject: LimitSubject
    /// The limit in words: `50 per second`, `at most 20 at the same time`.
    package var limit: String
    /// Time after which the same request may pass; nil when it never will, because it asks for more than the limit's burst.
    package var retryAfter: Duration?

    package init(what: String, subject: LimitSubject, limit: String, retryAfter: Duration?) {
        self.what = what
        self.subject = subject
        self.limit = limit
        self.retryAfter = retryAfter
    }

    /// Nobody knows when a place becomes free; a second is how soon it makes sense to look.
    package init(_ request: LeaseRequest) {
        self.init(
            what: request.what, subject: request.subject, limit: "at most \(request.maximum) at the same time",
            retryAfter: .seconds(1))
    }

    package init(_ request: BucketRequest, retryAfter: Duration?) {
        self.init(
            what: request.what, subject: request.subject, limit: request.limit.description, retryAfter: retryAfter)
    }

    package var description: String { "limit of \(what) reached for \(subject): \(limit)" }
}

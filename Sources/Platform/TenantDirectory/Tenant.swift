/// Whoever Parley works for.
package struct Tenant: Sendable, Equatable {
    /// Short name, as in keys, metrics and URLs.
    package let id: String
    /// Name for people.
    package let name: String
    /// Limits by name, for instance `concurrent_sessions`.
    package let limits: [String: Double]
    /// It may open no sessions.
    package let isDisabled: Bool

    package init(id: String, name: String, limits: [String: Double] = [:], isDisabled: Bool = false) {
        self.id = id
        self.name = name
        self.limits = limits
        self.isDisabled = isDisabled
    }
}

/// What a session needs of a worker.
package struct PlacementRequest: Sendable, Hashable {
    package enum Purpose: Sendable, Hashable {
        /// A session that begins: it leaves the reserve free.
        case new
        /// A session whose worker is gone or going: the reserve is there for it.
        case takeover
    }

    /// Share of a worker's capacity that it takes.
    package var weight: Double
    package var purpose: Purpose
    /// Workers that must not be chosen: the one that died, one that has just refused.
    package var excluding: Set<String>
    /// Only workers of this region; empty means any.
    package var region: String
    /// Labels that the worker must have, all of them.
    package var labels: Set<String>

    /// What workers are labelled with that serve a backend. Labels of the operator and of agent files have no colon.
    package static func label(ofBackend name: String) -> String { "backend:\(name)" }

    package init(
        weight: Double = 1, purpose: Purpose = .new, excluding: Set<String> = [], region: String = "",
        labels: Set<String> = []
    ) {
        self.weight = weight
        self.purpose = purpose
        self.excluding = excluding
        self.region = region
        self.labels = labels
    }
}

/// What a worker says of itself once a second and whenever its load changes.
package struct WorkerBeat: Sendable, Hashable {
    package var id: String
    package var host: String
    package var port: Int
    package var capacity: Double
    /// Weights of the sessions that it carries.
    package var load: Double
    /// How busy it is really, 0...1: see `WorkerEntry.pressure`.
    package var measuredLoad: Double
    package var sessions: Int
    package var draining: Bool
    package var version: String
    package var region: String
    package var labels: Set<String>
    /// Reservations whose sessions are part of `load` now.
    package var usedReservations: [String]
    /// Names this run of the worker; with it beats are put in order by `sequence`. Empty: every beat counts.
    package var incarnation = ""
    package var sequence: Int64 = 0

    package init(
        id: String, host: String, port: Int, capacity: Double, load: Double, measuredLoad: Double = 0, sessions: Int,
        draining: Bool, version: String, region: String = "", labels: Set<String> = [], usedReservations: [String] = []
    ) {
        self.id = id
        self.host = host
        self.port = port
        self.capacity = capacity
        self.load = load
        self.measuredLoad = measuredLoad
        self.sessions = sessions
        self.draining = draining
        self.version = version
        self.region = region
        self.labels = labels
        self.usedReservations = usedReservations
    }
}

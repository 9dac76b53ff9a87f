import Cryptography

/// Sends a worker's beats.
///
/// Numbered in the order in which the load was read, so that one that was held up cannot hide sessions which a later one has told of; and a
/// reservation is said to be used until a beat that says so has arrived.
package actor WorkerAnnouncer {
    /// Reservations lapse by themselves; more than this are not worth telling.
    private static let maximumUnconfirmed = 1_000

    private let registry: WorkerRegistry
    private let incarnation: String
    private var sequence: Int64 = 0
    private var unconfirmed: [String] = []

    package init(_ registry: WorkerRegistry) throws {
        self.registry = registry
        incarnation = try RandomBytes.token(bytes: 8)
    }

    /// Reads the load with `beat` and tells Redis. Calls may overlap.
    package func send(_ beat: @Sendable () -> WorkerBeat) async throws {
        sequence += 1
        var beat = beat()
        beat.incarnation = incarnation
        beat.sequence = sequence
        unconfirmed = (unconfirmed + beat.usedReservations).suffix(Self.maximumUnconfirmed)
        beat.usedReservations = unconfirmed
        try await registry.beat(beat)
        let told = Set(beat.usedReservations)
        unconfirmed.removeAll { told.contains($0) }
    }

    /// The worker is leaving for good.
    package func leave(_ worker: String) async throws { try await registry.leave(worker) }
}

import RedisClient

/// A worker as Redis knows it.
package struct WorkerEntry: Sendable, Hashable {
    package var id: String
    package var host: String
    package var port: Int
    package var capacity: Double
    /// Weights of its sessions as of its last beat.
    package var load: Double
    /// Weights of the reservations that are open.
    package var reserved: Double
    /// How busy the worker has found itself, 0...1.
    package var measuredLoad: Double
    package var isDraining: Bool
    package var region: String
    package var labels: Set<String>

    package init(
        id: String, host: String, port: Int, capacity: Double, load: Double, reserved: Double = 0,
        measuredLoad: Double = 0, isDraining: Bool = false, region: String = "", labels: Set<String> = []
    ) {
        self.id = id
        self.host = host
        self.port = port
        self.capacity = capacity
        self.load = load
        self.reserved = reserved
        self.measuredLoad = measuredLoad
        self.isDraining = isDraining
        self.region = region
        self.labels = labels
    }

    /// `now` is Redis's time in ms, by which reservations lapse.
    init?(id: String, fields: [String: RESPValue], now: Int64) {
        func number(_ name: String) -> Double? { fields[name]?.string.flatMap { Double($0) } }
        guard let host = fields["host"]?.string, let port = fields["port"]?.integer, let capacity = number("capacity"),
            let load = number("load")
        else { return nil }
        let reserved = fields.reduce(0.0) { sum, field in
            guard field.key.hasPrefix("r:"), let parts = field.value.string?.split(separator: ":"), parts.count == 3,
                let weight = Double(parts[0]), let expiry = Int64(parts[1]), expiry > now
            else { return sum }
            return sum + weight
        }
        self.init(
            id: id, host: host, port: Int(port), capacity: capacity, load: load, reserved: reserved,
            measuredLoad: number("measured") ?? 0, isDraining: fields["draining"]?.string == "1",
            region: fields["region"]?.string ?? "",
            labels: Set((fields["labels"]?.string ?? "").split(separator: ",").map(String.init)))
    }

    /// What no new session can have.
    package var used: Double { load + reserved }
    /// Share of the capacity that is taken.
    package var utilisation: Double { capacity > 0 ? used / capacity : 1 }
    /// What placement compares: the share that is taken, or what the worker measures where that is more. Weights are estimates, and a
    /// processor that is busy is busy, whatever they add up to.
    package var pressure: Double { max(utilisation, measuredLoad) }
}

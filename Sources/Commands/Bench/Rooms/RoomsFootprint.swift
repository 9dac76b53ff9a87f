import ClusterSupport
import Foundation

/// What a worker holds.
struct RoomsFootprint: Sendable, Equatable {
    var residentBytes: Int
    var threads: Int
    var descriptors: Int
    /// Objects of the client library, of the worker's own metrics.
    var handles = 0
    /// Sessions, of the worker's own metrics.
    var sessions = 0

    init(residentBytes: Int, threads: Int, descriptors: Int, handles: Int = 0, sessions: Int = 0) {
        self.residentBytes = residentBytes
        self.threads = threads
        self.descriptors = descriptors
        self.handles = handles
        self.sessions = sessions
    }

    /// Of a running worker, from /proc; nil when it is gone.
    init?(_ cluster: LocalCluster, _ worker: String) {
        guard let pid = cluster.pid(worker), let usage = ProcessUsage(pid: pid),
            let threads = try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/task"),
            let descriptors = try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/fd")
        else { return nil }
        self.init(residentBytes: usage.residentBytes, threads: threads.count, descriptors: descriptors.count)
    }

    /// The same with what its metrics say.
    static func read(_ cluster: LocalCluster, _ worker: String) async -> RoomsFootprint? {
        guard var footprint = RoomsFootprint(cluster, worker) else { return nil }
        let text = await LocalCluster.get(cluster.opsURL(worker) + "/metrics")?.body ?? ""
        footprint.handles = value("parley_livekit_handles", in: text)
        footprint.sessions = value("parley_worker_sessions", in: text)
        return footprint
    }

    private static func value(_ name: String, in metrics: String) -> Int {
        let values = metrics.split(separator: "\n").filter { $0.hasPrefix(name + " ") || $0.hasPrefix(name + "{") }
            .compactMap { $0.split(separator: " ").last.flatMap { Double($0) } }
        return Int(values.reduce(0, +))
    }

    static let header = "  joins   RSS MB  threads  descriptors  handles  sessions"

    func row(joins: Int) -> String {
        func pad(_ text: String, _ width: Int) -> String { String(repeating: " ", count: max(0, width - text.count)) + text }
        return [
            pad("\(joins)", 7), pad(String(format: "%.1f", Double(residentBytes) / 1_048_576), 8), pad("\(threads)", 8),
            pad("\(descriptors)", 12), pad("\(handles)", 8), pad("\(sessions)", 9),
        ].joined(separator: " ")
    }
}

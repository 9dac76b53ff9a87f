import Foundation

/// What a process or a core has used so far, from /proc.
package struct ProcessUsage: Sendable {
    /// User and system time, seconds.
    package var cpuSeconds: Double
    /// Private and shared pages in memory, bytes.
    package var residentBytes: Int

    /// Of one process; nil when it is gone.
    package init?(pid: Int32) {
        guard let seconds = Self.cpuSeconds("/proc/\(pid)/stat"),
            let memory = try? String(contentsOfFile: "/proc/\(pid)/statm", encoding: .utf8)
        else { return nil }
        let pages = memory.split(separator: " ")
        guard pages.count > 1, let resident = Int(pages[1]) else { return nil }
        cpuSeconds = seconds
        residentBytes = resident * Int(sysconf(Int32(_SC_PAGESIZE)))
    }

    /// User and system time of those threads of a process that are running now and whose names are wanted, seconds.
    package static func cpuSeconds(pid: Int32, ofThreads isWanted: (_ name: String) -> Bool) -> Double {
        let tasks = "/proc/\(pid)/task"
        let threads = (try? FileManager.default.contentsOfDirectory(atPath: tasks)) ?? []
        return threads.reduce(0) { sum, thread in
            guard let name = try? String(contentsOfFile: "\(tasks)/\(thread)/comm", encoding: .utf8), isWanted(name) else { return sum }
            return sum + (cpuSeconds("\(tasks)/\(thread)/stat") ?? 0)
        }
    }

    /// Of a `stat` file of a process or a thread.
    private static func cpuSeconds(_ path: String) -> Double? {
        guard let stat = try? String(contentsOfFile: path, encoding: .utf8) else { return nil }
        // The name, in parentheses, may contain spaces: fields are counted behind it. utime and stime are fields 14 and 15 (man 5 proc).
        let fields = stat[(stat.lastIndex(of: ")") ?? stat.startIndex)...].split(separator: " ")
        guard fields.count > 13, let user = Double(fields[12]), let system = Double(fields[13]) else { return nil }
        return (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
    }
}

/// Busy and total time of one core, in clock ticks.
package struct CoreUsage: Sendable {
    package var busy: Double
    /// What the host gave to other machines while this one had work.
    package var stolen: Double
    package var total: Double

    package init?(core: Int) {
        guard let text = try? String(contentsOfFile: "/proc/stat", encoding: .utf8),
            let line = text.split(separator: "\n").first(where: { $0.hasPrefix("cpu\(core) ") })
        else { return nil }
        // user nice system idle iowait irq softirq steal; guest times are part of user (man 5 proc).
        let times = line.split(separator: " ").dropFirst().prefix(8).compactMap { Double($0) }
        guard times.count == 8 else { return nil }
        total = times.reduce(0, +)
        stolen = times[7]
        busy = total - times[3] - times[4] - stolen
    }

    /// Share of the time since `earlier` in which the core was busy, 0...1.
    package func load(since earlier: CoreUsage) -> Double { share(busy - earlier.busy, since: earlier) }

    /// Share of the time since `earlier` that the host took away, 0...1.
    package func stolen(since earlier: CoreUsage) -> Double { share(stolen - earlier.stolen, since: earlier) }

    private func share(_ ticks: Double, since earlier: CoreUsage) -> Double {
        total > earlier.total ? ticks / (total - earlier.total) : 0
    }
}

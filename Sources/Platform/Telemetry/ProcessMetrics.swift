import Glibc

/// The metrics that Prometheus expects of every process, read from /proc when they are asked for.
///
/// Names and meanings follow the Prometheus client conventions ("Process metrics").
package enum ProcessMetrics {
    /// Exports the process's CPU time, memory, descriptors, threads and start time, and `parley_build_info`.
    package static func register(in registry: MetricsRegistry, service: String, version: String) {
        registry.gauge(
            "parley_build_info", help: "Always 1; the labels say what runs.",
            labels: ["service": service, "version": version]
        ).set(1)
        let cpu = registry.counter("process_cpu_seconds_total", help: "User and system CPU time spent in seconds.")
        let resident = registry.gauge("process_resident_memory_bytes", help: "Resident memory size in bytes.")
        let virtual = registry.gauge("process_virtual_memory_bytes", help: "Virtual memory size in bytes.")
        let threads = registry.gauge("process_threads", help: "Number of operating system threads.")
        let open = registry.gauge("process_open_fds", help: "Number of open file descriptors.")
        let maximum = registry.gauge("process_max_fds", help: "Maximum number of open file descriptors.")
        let start = registry.gauge("process_start_time_seconds", help: "Start time since the epoch in seconds.")
        registry.onCollect {
            guard let status = ProcessStatus.current() else { return }
            cpu.raise(to: status.cpuSeconds)
            resident.set(status.residentBytes)
            virtual.set(status.virtualBytes)
            threads.set(status.threads)
            start.set(status.startTime)
            open.set(ProcessStatus.openDescriptors())
            maximum.set(ProcessStatus.maximumDescriptors())
        }
    }
}

/// What the kernel says about this process.
struct ProcessStatus: Equatable {
    var cpuSeconds: Double
    var threads: Int
    var virtualBytes: Int
    var residentBytes: Int
    /// Seconds since the epoch.
    var startTime: Double

    /// Reads the contents of /proc/self/stat and the `btime` line of /proc/stat; nil when they are not as proc(5) says.
    init?(stat: String, bootTime: Double, ticksPerSecond: Double, pageSize: Int) {
        // The second field is the program's name in parentheses and may hold spaces and parentheses itself.
        guard let name = stat.lastIndex(of: ")") else { return nil }
        let fields = stat[stat.index(after: name)...].split(whereSeparator: \.isWhitespace)
        // proc(5) numbers fields from 1 and the name is the second: field n is at n - 3.
        func field(_ number: Int) -> Double? {
            fields.indices.contains(number - 3) ? Double(fields[number - 3]) : nil
        }
        guard let user = field(14), let system = field(15), let threads = field(20), let started = field(22),
            let virtualBytes = field(23), let pages = field(24)
        else { return nil }
        cpuSeconds = (user + system) / ticksPerSecond
        self.threads = Int(threads)
        self.virtualBytes = Int(virtualBytes)
        residentBytes = Int(pages) * pageSize
        startTime = bootTime + started / ticksPerSecond
    }

    static func current() -> ProcessStatus? {
        guard let stat = contents(of: "/proc/self/stat"), let system = contents(of: "/proc/stat"),
            let boot = system.split(separator: "\n").first(where: { $0.hasPrefix("btime ") }),
            let bootTime = Double(boot.dropFirst(6))
        else { return nil }
        return ProcessStatus(
            stat: stat, bootTime: bootTime, ticksPerSecond: Double(sysconf(Int32(_SC_CLK_TCK))),
            pageSize: sysconf(Int32(_SC_PAGESIZE)))
    }

    static func openDescriptors() -> Int {
        guard let directory = opendir("/proc/self/fd") else { return 0 }
        defer { closedir(directory) }
        var entries = 0
        while readdir(directory) != nil { entries += 1 }
        // Not counted: ".", ".." and the descriptor of this very listing.
        return max(0, entries - 3)
    }

    static func maximumDescriptors() -> Double {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 0 }
        return limit.rlim_cur == rlim_t.max ? .infinity : Double(limit.rlim_cur)
    }

    /// A file of /proc, whose size is not known before it is read; at most 1 MiB of it.
    private static func contents(of path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16_384)
        while bytes.count < 1 << 20 {
            let count = read(descriptor, &chunk, chunk.count)
            guard count > 0 else { break }
            bytes += chunk[..<count]
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

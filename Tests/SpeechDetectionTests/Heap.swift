import Foundation
import Glibc

/// What the allocator has given out.
enum Heap {
    private struct Unreadable: Error {}

    /// Bytes in use, as the allocator itself counts them: what it has from the system, less what it has free.
    static func bytesInUse() throws -> Int {
        let totals = try report().components(separatedBy: "</heap>").last ?? ""
        let lines = totals.split(separator: "\n")
        func total(_ type: String) throws -> Int {
            guard let line = lines.first(where: { $0.contains(type) }),
                let size = line.split(separator: "\"").compactMap({ Int($0) }).last
            else { throw Unreadable() }
            return size
        }
        let taken = try total("system type=\"current\"") + total("type=\"mmap\"")
        return taken - (try total("type=\"fast\"")) - (try total("type=\"rest\""))
    }

    /// Takes all memory of this process: whatever allocates from here on dies. For exit tests.
    static func exhaust() {
        var limit = rlimit(rlim_cur: 0, rlim_max: 0)
        _ = getrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit)
        limit.rlim_cur = 0
        _ = setrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit)
        var size = 1 << 20
        while size >= 16 {
            while malloc(size) != nil {}
            size -= max(16, size / 4)
        }
    }

    /// The allocator's own report, as XML. It is looked up by name because Swift's Glibc module leaves it out.
    private static func report() throws -> String {
        typealias MallocInfo = @convention(c) (Int32, UnsafeMutablePointer<FILE>) -> Int32
        guard let address = dlsym(nil, "malloc_info") else { throw Unreadable() }
        let mallocInfo = unsafeBitCast(address, to: MallocInfo.self)
        var text: UnsafeMutablePointer<CChar>?
        var size = 0
        guard let file = open_memstream(&text, &size) else { throw Unreadable() }
        let status = mallocInfo(0, file)
        fclose(file)
        guard status == 0, let text else { throw Unreadable() }
        defer { free(text) }
        return String(cString: text)
    }
}

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// A file read and written at byte offsets. Blocking: for tools and tests, not for event loops.
struct RandomAccessFile: ~Copyable, Sendable {
    enum Mode {
        case read
        /// Made anew; what was there is gone.
        case replace
    }

    let path: String
    private let descriptor: Int32

    init(path: String, mode: Mode) throws(AudioError) {
        let flags = mode == .read ? O_RDONLY | O_CLOEXEC : O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC
        let descriptor = unsafe open(path, flags, 0o644)
        guard descriptor >= 0 else { throw Self.error("opened", path) }
        self.path = path
        self.descriptor = descriptor
    }

    deinit {
        close(descriptor)
    }

    /// Reads up to `buffer.count` bytes from `offset` on; returns how many there were before the end.
    func read(into buffer: inout [UInt8], at offset: Int) throws(AudioError) -> Int {
        var done = 0
        while done < buffer.count {
            let count = unsafe buffer.withUnsafeMutableBytes { bytes in
                unsafe pread(
                    descriptor, bytes.baseAddress?.advanced(by: done), bytes.count - done, off_t(offset + done))
            }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw Self.error("read", path) }
            if count == 0 { break }
            done += count
        }
        return done
    }

    func write(_ buffer: [UInt8], at offset: Int) throws(AudioError) {
        var done = 0
        while done < buffer.count {
            let count = unsafe buffer.withUnsafeBytes { bytes in
                unsafe pwrite(
                    descriptor, bytes.baseAddress?.advanced(by: done), bytes.count - done, off_t(offset + done))
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw Self.error("written", path) }
            done += count
        }
    }

    /// All bytes; throws `tooLarge` beyond `limit`.
    func readAll(limit: Int) throws(AudioError) -> [UInt8] {
        let size = Int(lseek(descriptor, 0, SEEK_END))
        guard size >= 0 else { throw Self.error("read", path) }
        guard size <= limit else { throw AudioError(.tooLarge, "\(path) has \(size) bytes, at most \(limit) are read") }
        var bytes = [UInt8](repeating: 0, count: size)
        let count = try read(into: &bytes, at: 0)
        return Array(bytes.prefix(count))
    }

    private static func error(_ what: String, _ path: String) -> AudioError {
        let number = errno
        return AudioError(.fileFailed, "\(path) cannot be \(what): \(unsafe String(cString: strerror(number)))")
    }
}

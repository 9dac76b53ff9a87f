#if canImport(Darwin)
    import Darwin
#else
    import Glibc
#endif

/// Starts a detached thread that runs `body` and ends. For work that blocks or computes for long, and so has no place on an event
/// loop or in the pool of Swift's concurrency.
func startThread(_ body: @escaping @Sendable () -> Void) throws(SpeechDetectionError) {
    let box = unsafe Unmanaged.passRetained(ThreadBody(body))
    var attributes = pthread_attr_t()
    unsafe pthread_attr_init(&attributes)
    defer { unsafe pthread_attr_destroy(&attributes) }
    unsafe pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
    #if canImport(Darwin)
        var thread: pthread_t?
        let status = unsafe pthread_create(&thread, &attributes, { runThread($0) }, box.toOpaque())
    #else
        var thread = pthread_t()
        let status = unsafe pthread_create(
            &thread, &attributes, { unsafe $0.flatMap { unsafe runThread($0) } }, box.toOpaque())
    #endif
    guard status == 0 else {
        unsafe box.release()
        throw SpeechDetectionError(
            .threadUnavailable, "cannot start a thread (error \(status)); is a limit on processes reached?")
    }
}

private final class ThreadBody: Sendable {
    let run: @Sendable () -> Void

    init(_ run: @escaping @Sendable () -> Void) {
        self.run = run
    }
}

private func runThread(_ argument: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer? {
    unsafe Unmanaged<ThreadBody>.fromOpaque(argument).takeRetainedValue().run()
    return nil
}

import Dispatch
import Glibc
import Synchronization

/// Writes log lines on a thread of its own, so that a slow terminal or pipe never holds up an event loop.
///
/// Lines wait in a buffer of bounded size. When it is full a line is dropped and counted; lines of level error and above have a
/// reserve of a quarter more. As soon as there is room again a line says how many were lost.
package final class LogWriter: Sendable {
    private struct State {
        var waiting: [UInt8] = []
        var isDraining = false
        var droppedLines = 0
        var droppedErrors = 0
    }

    private let capacity: Int
    private let sink: @Sendable ([UInt8]) -> Void
    private let describeLoss: @Sendable (_ lines: Int, _ errors: Int) -> [UInt8]
    private let state = Mutex(State())
    private let queue = DispatchQueue(label: "parley.log", qos: .utility)

    /// A writer that hands whole lines to `sink`, one call at a time.
    ///
    /// - Parameters:
    ///   - capacity: bytes that may wait to be written.
    ///   - describeLoss: makes the line that reports dropped lines, and how many of those were errors.
    ///   - sink: writes the bytes; it may block. Standard error unless given.
    package init(
        capacity: Int = 1 << 20, describeLoss: @escaping @Sendable (_ lines: Int, _ errors: Int) -> [UInt8],
        sink: @escaping @Sendable ([UInt8]) -> Void = LogWriter.writeToStandardError
    ) {
        self.capacity = capacity
        self.describeLoss = describeLoss
        self.sink = sink
    }

    /// Queues one line, which must end in a newline. Never waits.
    package func write(_ line: [UInt8], isError: Bool) {
        let mustStart = state.withLock { state -> Bool in
            let room = isError ? capacity + capacity / 4 : capacity
            if state.waiting.count + line.count <= room {
                state.waiting += line
            } else {
                state.droppedLines += 1
                state.droppedErrors += isError ? 1 : 0
            }
            defer { state.isDraining = true }
            return !state.isDraining
        }
        if mustStart { queue.async { self.drain() } }
    }

    /// Lines dropped and not yet reported in the log.
    package var unreportedLosses: Int {
        state.withLock { $0.droppedLines }
    }

    /// Waits until everything queued so far has been handed to the sink. For the end of a process; never call it on an event loop.
    package func flush() {
        queue.sync { self.drain() }
    }

    private func drain() {
        while let batch = nextBatch() { sink(batch) }
    }

    private func nextBatch() -> [UInt8]? {
        state.withLock { state in
            var batch: [UInt8] = []
            swap(&batch, &state.waiting)
            if state.droppedLines > 0 {
                batch += describeLoss(state.droppedLines, state.droppedErrors)
                (state.droppedLines, state.droppedErrors) = (0, 0)
            }
            state.isDraining = !batch.isEmpty
            return batch.isEmpty ? nil : batch
        }
    }

    /// Writes all of `bytes` to standard error, however long that takes; gives up when standard error is closed.
    package static func writeToStandardError(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { buffer in
            var rest = buffer[...]
            while let base = UnsafeRawBufferPointer(rebasing: rest).baseAddress, !rest.isEmpty {
                let count = Glibc.write(STDERR_FILENO, base, rest.count)
                if count > 0 {
                    rest = rest.dropFirst(count)
                } else if errno == EAGAIN {
                    // Somebody made the descriptor non-blocking: wait for it as a blocking write would have.
                    var descriptor = pollfd(fd: STDERR_FILENO, events: Int16(POLLOUT), revents: 0)
                    poll(&descriptor, 1, 1000)
                } else if errno != EINTR {
                    return
                }
            }
        }
    }
}

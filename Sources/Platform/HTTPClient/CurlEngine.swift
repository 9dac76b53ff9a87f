import CCurl
import Foundation
import NIOCore
import Synchronization

/// libcurl's multi interface on one thread: commands come in through a queue, `curl_multi_poll` waits for them and for the sockets.
///
/// `@unchecked Sendable`: `multi` is only touched on that thread, but for `curl_multi_wakeup`, which libcurl allows from any; `loop` is
/// created on it.
@safe final class CurlEngine: @unchecked Sendable {
    enum Command: Sendable {
        case start(HTTPRequest, HTTPExchange)
        case cancel(UInt64)
        /// The event loop has caught up.
        case resume(UInt64)
        case shutDown
    }

    private struct Inbox {
        var commands: [Command] = []
        var isClosed = false
    }

    private let multi: UnsafeMutableRawPointer?
    private let certificates: String?
    private let inbox = Mutex(Inbox())

    init(maximumConnections: Int, certificates: String?) {
        self.certificates = certificates
        curl_global_init(Int(CURL_GLOBAL_DEFAULT))
        unsafe multi = unsafe curl_multi_init()
        if let multi = unsafe multi { unsafe curl_multi_set_long(multi, CURLMOPT_MAXCONNECTS, maximumConnections) }
    }

    func start() {
        let thread = Thread { [self] in run() }
        thread.name = "curl"
        thread.start()
    }

    func post(_ command: Command) {
        let refused = inbox.withLock { inbox in
            if !inbox.isClosed { inbox.commands.append(command) }
            return inbox.isClosed
        }
        if refused {
            if case .start(_, let exchange) = command { _ = exchange.deliver(.failed(Self.shutDownError)) }
            return
        }
        unsafe curl_multi_wakeup(multi)
    }

    static let shutDownError = HTTPClientError(.shutDown, "the HTTP client has been shut down")

    private func run() {
        guard let multi = unsafe multi else {
            return fail(
                inbox.withLock {
                    $0.isClosed = true; return $0.commands
                })
        }
        let loop = unsafe CurlLoop(multi: multi, certificates: certificates)
        while true {
            let commands = inbox.withLock { inbox in
                defer { inbox.commands.removeAll(keepingCapacity: true) }
                return inbox.commands
            }
            for command in commands where !loop.perform(command) {
                let rest = inbox.withLock {
                    $0.isClosed = true; return $0.commands
                }
                fail(commands + rest)
                return loop.shutDown()
            }
            loop.step()
        }
    }

    /// Whoever asked too late gets an answer; exchanges that had started have had theirs.
    private func fail(_ commands: [Command]) {
        for case .start(_, let exchange) in commands { _ = exchange.deliver(.failed(Self.shutDownError)) }
    }
}

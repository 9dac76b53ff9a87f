package import HTTPClient
package import NIOCore
package import Resilience
import SwiftProtobuf
import Telemetry

/// LiveKit's server API: Twirp with protobuf over HTTP. All of its calls throw `LiveKitError`.
///
/// Each call carries a token of its own that lives for a minute and grants what the call needs. Calls that may be done twice are tried
/// again, within a budget, when the server is not available; all are when no connection could be made.
package struct LiveKitServerAPI: Sendable {
    /// How long a call's token is accepted. Servers grant a minute of leeway beside it.
    private static let tokenLifetime = Duration.seconds(60)
    private static let maximumAnswerBytes = 8 << 20

    package let credentials: LiveKitCredentials
    private let client: HTTPClient
    private let eventLoop: any EventLoop
    private let retries: RetryPolicy
    private let budget: RetryBudget
    private let clock: any MonotonicClock
    private let wallClock: @Sendable () -> Int64

    /// - Parameters:
    ///   - eventLoop: where answers arrive.
    ///   - wallClock: milliseconds since the epoch, for tokens.
    package init(
        _ credentials: LiveKitCredentials, client: HTTPClient = .shared, eventLoop: any EventLoop,
        retries: RetryPolicy = RetryPolicy(maximumAttempts: 3), budget: RetryBudget = RetryBudget(),
        clock: any MonotonicClock = ContinuousClock(), wallClock: @escaping @Sendable () -> Int64 = Timestamp.now
    ) {
        self.credentials = credentials
        self.client = client
        self.eventLoop = eventLoop
        self.retries = retries
        self.budget = budget
        self.clock = clock
        self.wallClock = wallClock
    }

    func call<Response: Message>(_ call: TwirpCall, _ request: some Message) async throws -> Response {
        let body = ByteBuffer(bytes: try request.serializedBytes() as [UInt8])
        let deadline = Deadline.after(call.limit, "LiveKit's \(call.method)", clock: clock)
        let answer = try await retries.run(before: deadline, budget: budget, judge: { Self.verdict($0, call) }) { _ in
            try await attempt(call, body, within: deadline.remaining)
        }
        do {
            return try Response(serializedBytes: Array(answer.readableBytesView))
        } catch {
            throw TwirpAnswer.notLiveKit(
                "\(call.method) was answered with something that is no \(Response.protoMessageName)", credentials.url,
                cause: error)
        }
    }

    private func attempt(_ call: TwirpCall, _ body: ByteBuffer, within limit: Duration) async throws -> ByteBuffer {
        let token = try call.grant.signed(by: credentials, lifetime: Self.tokenLifetime, now: wallClock())
        let milliseconds = max(1, Int(limit / .milliseconds(1)))
        var request = HTTPRequest(
            "POST", credentials.url.http + call.path,
            headers: [("Authorization", "Bearer \(token)"), ("Content-Type", "application/protobuf")], body: body,
            deadlines: HTTPDeadlines(
                connect: min(3_000, milliseconds), firstByte: milliseconds, total: milliseconds, stall: 0))
        request.isRepeatable = call.isIdempotent
        let response: HTTPResponse
        do {
            response = try await client.send(request, on: eventLoop, maximumBodyBytes: Self.maximumAnswerBytes)
        } catch {
            try Task.checkCancellation()
            throw LiveKitError(
                .unreachable,
                "LiveKit did not answer \(call.method): \(error.message); check LIVEKIT_URL (\(credentials.url.http)) and the server",
                cause: error)
        }
        return try TwirpAnswer.body(of: response, to: call, at: credentials.url)
    }

    private static func verdict(_ error: any Error, _ call: TwirpCall) -> RetryPolicy.Verdict {
        guard let error = error as? LiveKitError else { return .giveUp }
        switch error.code {
        case .unreachable where (error.cause as? HTTPClientError)?.code == .connectFailed: return .retry
        // How servers say that there is no such room, after 3 s: to ask again would take as long and change nothing.
        case .unavailable where error.message.contains("no response from servers"): return .giveUp
        case .unreachable, .unavailable: return call.isIdempotent ? .retry : .giveUp
        default: return .giveUp
        }
    }
}

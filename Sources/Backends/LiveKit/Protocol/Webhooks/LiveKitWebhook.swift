import Cryptography
package import NIOCore
import SwiftProtobuf
import WireCoding

/// Receives a LiveKit server's webhooks: only what its key signed counts, only while it is news, and only once.
///
/// Servers send an event again until somebody answers with 2xx, and other replicas of a service have memories of their own: whoever does
/// something that must not be done twice needs more than this.
package struct LiveKitWebhook: Sendable {
    /// What became of a webhook that is genuine. Both are answered with 2xx.
    package enum Delivery: Sendable, Equatable {
        case event(LiveKitWebhookEvent)
        /// Received before.
        case repeated(id: String)
    }

    private let credentials: LiveKitCredentials
    private let window: Duration
    private let leeway: Duration
    private var seen: RecentIDs

    /// - Parameters:
    ///   - window: how old an event may be. Servers try for minutes when nobody answers.
    ///   - leeway: by how much the server's clock may differ.
    ///   - capacity: ids that are remembered within the window; the oldest are forgotten beyond it.
    package init(
        _ credentials: LiveKitCredentials, window: Duration = .seconds(600), leeway: Duration = .seconds(60),
        capacity: Int = 10_000
    ) {
        self.credentials = credentials
        self.window = window
        self.leeway = leeway
        seen = RecentIDs(capacity: capacity)
    }

    /// - Parameters:
    ///   - body: as received, byte by byte.
    ///   - authorization: the header of that name: the token, with or without `Bearer ` before it.
    ///   - now: milliseconds since the epoch.
    /// - Throws: `LiveKitError`, to be answered with 401; with 400 where its code is `malformedEvent`
    package mutating func receive(_ body: ByteBuffer, authorization: String?, now: Int64) throws -> Delivery {
        try authenticate(body, authorization, now: now)
        let event = try Self.decode(body)
        let age = now - event.createdAt * 1000
        guard age <= (window + leeway).wholeMilliseconds, age >= -leeway.wholeMilliseconds else {
            throw LiveKitError(
                .staleEvent,
                "the LiveKit event '\(event.event.prefix(64))' is \(age / 1000) s old; check the clocks if it is new")
        }
        let forgetBefore = now - (window + leeway + leeway).wholeMilliseconds
        return seen.insert(event.id, at: now, forgettingBefore: forgetBefore) ? .event(event) : .repeated(id: event.id)
    }

    /// Takes an event back, so that it counts when the server sends it again: for who could not act on it.
    package mutating func forget(_ id: String) { seen.remove(id) }

    private func authenticate(_ body: ByteBuffer, _ authorization: String?, now: Int64) throws {
        guard let authorization, !authorization.isEmpty else {
            throw LiveKitError(.bodyMismatch, "the webhook has no Authorization header; LiveKit signs its webhooks")
        }
        let prefix = "bearer "
        let text =
            authorization.lowercased().hasPrefix(prefix) ? String(authorization.dropFirst(prefix.count)) : authorization
        let token = try LiveKitAccessToken.verify(text, credentials: credentials, now: now, leeway: leeway)
        let digest = Base64.encode(try SHA256.hash(body.readableBytesView))
        guard constantTimeEqual(Array(token.sha256.utf8), Array(digest.utf8)) else {
            throw LiveKitError(
                .bodyMismatch, "the webhook's body is not the one that was signed; it must be passed on unchanged")
        }
    }

    private static func decode(_ body: ByteBuffer) throws -> LiveKitWebhookEvent {
        var options = JSONDecodingOptions()
        options.ignoreUnknownFields = true
        let event: LiveKitWebhookEvent
        do {
            event = try LiveKitWebhookEvent(jsonUTF8Bytes: Array(body.readableBytesView), options: options)
        } catch {
            throw LiveKitError(.malformedEvent, "the webhook is signed but holds no event: \(error)", cause: error)
        }
        // The bound keeps the time in milliseconds from overflowing.
        guard !event.event.isEmpty, (1...128).contains(event.id.utf8.count), (0...1 << 40).contains(event.createdAt)
        else {
            throw LiveKitError(.malformedEvent, "the webhook is signed but has no event, id or time")
        }
        return event
    }
}

/// Events by their names, for whoever asks what happened.
extension LiveKitWebhookEvent {
    package enum Kind: String, Sendable, CaseIterable {
        case roomStarted = "room_started"
        case roomFinished = "room_finished"
        case participantJoined = "participant_joined"
        case participantLeft = "participant_left"
        case participantConnectionAborted = "participant_connection_aborted"
        case trackPublished = "track_published"
        case trackUnpublished = "track_unpublished"
        case egressStarted = "egress_started"
        case egressUpdated = "egress_updated"
        case egressEnded = "egress_ended"
        case ingressStarted = "ingress_started"
        case ingressEnded = "ingress_ended"
        case agentJobStarted = "agent_job_started"
        case agentJobEnded = "agent_job_ended"
    }

    /// Nil for events that this version does not know.
    package var kind: Kind? { Kind(rawValue: event) }
}

extension Duration {
    fileprivate var wholeMilliseconds: Int64 {
        components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000
    }
}

import BackendKit
import Conversation
import Logging
import NIOCore
import RelayLink
import SessionLog

/// How a worker takes a session, whatever its backend.
extension WorkerCore {
    /// Claims a session and reads its agents. It may be here already, on another link: it is given up first, so that its log is whole.
    func claim(_ attach: RelayAttach) async -> Result<(ClaimedSession, Agents), any Error> {
        await giveUp(attach.session, for: attach)
        do {
            let claimed = try await store.claim(
                session: attach.session, tenant: attach.tenant, seenFence: attach.seenFence, reason: attach.reason)
            return .success((claimed, try await Agents.load(for: claimed, tenant: attach.tenant, core: self)))
        } catch {
            return .failure(error)
        }
    }

    /// The session that has been claimed. `lost` is called on `eventLoop` when another owner has taken it, `ended` when it is over here.
    func makeSession(
        _ attach: RelayAttach, _ claimed: ClaimedSession, _ agents: Agents, port: any MediaPort, on eventLoop: any EventLoop,
        lost: @escaping @Sendable (String) -> Void, ended: @escaping @Sendable (EndReason) -> Void
    ) throws -> VoiceSession {
        let providers = try environment.providers(for: agents.current)
        let logger = logger(for: attach)
        return VoiceSession(
            identity: .init(session: attach.session, tenant: attach.tenant), agent: agents.current, environment: environment,
            providers: providers, handOffs: agents.targets(core: self, logger: logger), state: agents.state,
            journal: store.journal(for: claimed, on: eventLoop, lost: lost), port: port, eventLoop: eventLoop, logger: logger, onEnd: ended)
    }

    func logger(for attach: RelayAttach) -> Logger {
        var logger = logger
        logger[metadataKey: "session"] = "\(attach.session)"
        logger[metadataKey: "tenant"] = "\(attach.tenant)"
        return logger
    }
}

extension RelayRefusal {
    /// What is told to the dispatcher of a session that could not be taken.
    init(_ error: any Error) {
        switch error {
        case is ConfigurationFileError: self = .unknownAgent
        case is ProviderError, is BackendError: self = .providerUnavailable
        case let error as SessionLogError: self = RelayRefusal(error.code)
        default: self = .claimLost
        }
    }
}

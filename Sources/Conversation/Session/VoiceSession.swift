package import Audio
import Foundation
package import Logging
package import NIOCore
package import SessionLog
import SpeechDetection
import SwiftProtobuf
import Telemetry

/// One conversation, from the moment a worker owns it until it ends or another worker takes it.
///
/// It lives on one event loop: the loop is the actor's executor, so channel handlers and provider callbacks on that loop enter it
/// synchronously (`assumeIsolated`). It owns the pure parts (session time, speech detection, turn taking, playout), performs what
/// they ask for, and writes the log. State that must survive it is in `state`, which is a fold of what it has logged.
package actor VoiceSession {
    package nonisolated let eventLoop: any EventLoop
    package nonisolated var unownedExecutor: UnownedSerialExecutor { eventLoop.executor.asUnownedSerialExecutor() }

    /// What a session is about; fixed for its life.
    package struct Identity: Sendable {
        package var session: String
        package var tenant: String
        package var leg: UInt32

        package init(session: String, tenant: String, leg: UInt32 = 1) {
            self.session = session
            self.tenant = tenant
            self.leg = leg
        }
    }

    enum Life: Equatable {
        /// For the client's handshake.
        case waiting
        case talking
        /// The caller's connection is gone; the session waits for whoever has the caller next.
        case detached
        /// Another worker is to take it; the log is on its way to the store.
        case leaving
        case ended
    }

    package nonisolated let identity: Identity
    /// Who talks now; changes with a hand-off, as do the providers.
    var agent: AgentDefinition
    let environment: SessionEnvironment
    var providers: SessionProviders
    let handOffs: [String: HandOffTarget]
    let journal: any SessionJournal
    let port: any MediaPort
    let metrics: SessionMetrics
    let logger: Logger
    let onEnd: @Sendable (EndReason) -> Void

    var life = Life.waiting
    var state: SessionState
    var flow: FlowPosition

    var timeline: SessionTimeline
    var normalizer = CallerAudioNormalizer()
    var callerSamples = SampleBuffer()
    var recent = RecentAudio()
    var detector: VoiceActivityDetector?
    var recognition: (any RecognitionStream)?
    var silence: CallerSilence
    var recognitionUsage = 0.0
    /// Failures of the recogniser since it last worked; while it is above 0 the agent is deaf.
    var recognitionFailures = 0

    var turns: TurnTaking
    var timers: [TurnTimer: SessionTime] = [:]
    var lastFinalAt: Int64 = 0
    var nextTurn: TurnNumber
    var nextReply: ReplyNumber
    var replies: [ReplyNumber: Reply] = [:]
    var speculation: (id: UInt32, reply: ReplyNumber)?
    var voice: (any SynthesisStream)?
    var voiceIndex = 0
    /// Sentences in a row that no voice could speak.
    var unspoken = 0
    var playout: Playout
    var spoken = SpokenProgress()
    /// Replies are spoken, unless the client wants them written only.
    var speaksAloud: Bool
    /// Whether the answer to what was typed since the last typed turn is to be spoken; nil while nothing was.
    var isTypedAloud: Bool?
    var isThrottled = false
    var idlePrompts = 0
    /// The sentence that is heard while its audio still arrives, and when that was logged last (monotonic nanoseconds).
    var partialAudio: (sentence: SentenceID, loggedAt: Int64)?
    /// Calls that were logged and have no result yet.
    var openCalls: [OpenCall] = []
    var transfer: Transfer?
    var maxDurationAt: SessionTime
    var lastTick: Int64 = 0

    var start: SessionStart?
    /// What was heard of a reply before this owner, by reply.
    var heardBefore: [ReplyNumber: String] = [:]
    var catchUp: CatchUp?
    var drain = Drain()
    var lastSequence: UInt64 = 0
    var idleRelease = IdleRelease()
    var room = RoomProgress()
    /// Session time at which the recogniser's stream began.
    var recognitionOrigin = SessionTime.zero

    package init(
        identity: Identity, agent: AgentDefinition, environment: SessionEnvironment, providers: SessionProviders,
        handOffs: [String: HandOffTarget] = [:], state: SessionState, journal: any SessionJournal, port: any MediaPort,
        eventLoop: any EventLoop, logger: Logger, onEnd: @escaping @Sendable (EndReason) -> Void
    ) {
        self.identity = identity
        self.agent = agent
        self.environment = environment
        self.providers = providers
        self.handOffs = handOffs
        self.state = state
        self.journal = journal
        self.port = port
        self.eventLoop = eventLoop
        self.metrics = environment.metrics(identity.tenant)
        self.logger = logger
        self.onEnd = onEnd
        self.flow = FlowPosition(state: state)
        self.speaksAloud = state.legs[identity.leg]?.latest?.textOnly != true
        self.nextTurn = state.lastTurn + 1
        self.nextReply = state.lastReply + 1
        self.timeline = SessionTimeline(startingAt: state.position)
        self.now = state.position
        self.silence = CallerSilence(since: state.position)
        self.turns = TurnTaking(settings: agent.turnSettings, language: agent.language)
        self.playout = Self.makePlayout(port)
        self.maxDurationAt = SessionTime.milliseconds(Int64(agent.limits.maxDurationSeconds) * 1_000)
    }

    /// Session time now: the end of what turn taking has been fed.
    var now: SessionTime
    /// Monotonic nanoseconds.
    var clock: Int64 { Int64(eventLoop.now.uptimeNanoseconds) }

    private static func makePlayout(_ port: any MediaPort) -> Playout {
        var settings = PlayoutSettings()
        settings.hasMarks = port.hasMarks
        return Playout(settings: settings)
    }

    // MARK: Life

    /// Opens the recogniser and the voice, and goes on with what the log holds. Call once, on the loop.
    package func start(_ start: SessionStart) {
        self.start = start
        let wasBegun = hasBegun
        let wasOpened = state.fence
        log(.claimed(.with {
            $0.worker = start.worker
            $0.reason = start.reason
            $0.previousFence = wasOpened
        }))
        if wasBegun { life = .talking }
        logAttached()
        if let model = environment.speechModel {
            do {
                detector = try VoiceActivityDetector(
                    model: model, parameters: agent.pipeline.voiceActivity, start: now)
            } catch {
                logger.error("no voice activity detection", metadata: ["error": "\(error)"])
            }
        }
        openRecogniser()
        openVoice()
        handle(.started)
        if start.hasReplay { catchUp = CatchUp(until: clock + CatchUp.longestReplay) }
        if wasBegun { takeOver() }
    }

    /// The client as far as it is known, so that another worker can go on with it.
    func logAttached() {
        guard let start else { return }
        let client = port.client
        log(.attached(.with {
            $0.attachment = start.attachment
            $0.generation = start.generation
            $0.protocol = client.protocolName
            $0.textOnly = !speaksAloud
            if life != .waiting { $0.handshake = Data(client.handshake) }
        }))
    }

    /// What another worker must know of the client has changed. Before its handshake that is logged with it.
    package func clientChanged() { if life == .talking { logAttached() } }

    /// The owner was told that it lost the session: stop at once, write nothing.
    package func lost() {
        guard life != .ended else { return }
        tearDown()
        journal.abandon()
        port.end(.lost)
        port.flush()
        onEnd(.lost)
    }

    /// Ends the conversation: logs why, closes the log, then the caller's connection.
    package func close(_ reason: EndReason, detail: String = "") {
        guard life != .ended else { return }
        stopReplies(interrupted: true)
        abandonTools()
        logTotals()
        log(.closed(.with { $0.reason = reason.rawValue; $0.detail = detail; $0.by = "worker" }))
        tearDown()
        journal.close()
        port.end(reason)
        port.flush()
        onEnd(reason)
    }

    func tearDown() {
        life = .ended
        for call in openCalls { call.cancel() }
        openCalls = []
        transfer = nil
        fallSilent()
    }

    /// Ends everything but the tools that run.
    func fallSilent() {
        for reply in replies.values { reply.generation?.cancel() }
        replies = [:]
        speculation = nil
        catchUp = nil
        playout = Self.makePlayout(port)
        recognition?.close()
        recognition = nil
        voice?.close()
        voice = nil
        timers = [:]
    }

    // MARK: What the caller does

    /// The session runs and has a caller.
    var isLive: Bool { life == .waiting || life == .talking }

    /// The client does something besides speaking. `isLogged`: another owner has logged its keys.
    package func receive(_ input: ClientInput, isLogged: Bool = false) {
        guard isLive else { return }
        switch input {
        case .ready: begin()
        case .text(let text, let interrupts, let speak):
            isTypedAloud = (isTypedAloud ?? false) || speak
            handle(.text(text, interrupts: interrupts))
        case .audioOutput(let isOn):
            speaksAloud = isOn
            clientChanged()
        case .history(let messages): take(history: messages)
        case .dtmf(let digits):
            if !isLogged {
                log(.dtmf(.with {
                    $0.digits = digits
                    $0.through = port.handled
                }))
            }
            handle(.dtmf(digits))
        case .endOfTurn: handle(.endOfTurnRequested)
        case .request(let id, let type, _): answer(request: type, id: id)
        case .toolResult(let call, let content): clientReturned(call, content)
        case .hangUp:
            handle(.hangUp)
            close(.hangUp)
        }
        port.flush()
    }

    /// The caller has hung up.
    package func clientDisconnected(_ reason: String) {
        guard isLive else { return }
        // Who is transferred leaves: what comes of the transfer says how the call has ended.
        if transfer?.isUnderWay == true {
            transfer?.departure = reason
            return
        }
        handle(.hangUp)
        logDetached(reason)
        close(.clientDisconnected, detail: reason)
    }

    /// The client has broken the protocol: it is told, and the call ends.
    package func violated(_ reason: String) {
        guard isLive else { return }
        logger.warning("client broke the protocol", metadata: ["reason": "\(reason)"])
        port.notify(.error(message: reason, fatal: true))
        close(.protocolError, detail: reason)
    }

    /// A backend with marks has played a reply up to here.
    package func heard(_ reply: ReplyNumber, upTo position: SessionTime) { playout.acknowledge(reply, upTo: position) }

    /// The caller's socket does not take audio (true) or takes it again: playout stands still meanwhile.
    package func throttled(_ on: Bool) { isThrottled = on }

    private func begin() {
        guard life == .waiting else { return port.notify(.ready) }
        life = .talking
        logAttached()
        port.notify(.ready)
        notifyResumable()
        greet()
    }

    // MARK: The log

    /// Appends to the log and folds the event into `state`. Returns its sequence.
    @discardableResult
    func log(_ body: Event.OneOf_Body) -> UInt64 {
        let event = journal.append(body, position: now, leg: identity.leg)
        state.apply(event)
        lastSequence = event.sequence
        return event.sequence
    }

    func logTotals() {
        guard recognitionUsage > 0 else { return }
        var usage = ProviderUsage(.speechToText, provider: providers.speechToText.name)
        usage.audioSeconds = recognitionUsage
        report(usage)
        recognitionUsage = 0
    }

    /// What a provider has been used for, for the log and the client.
    func report(_ usage: ProviderUsage) {
        log(.usage(.with {
            $0.kind = usage.kind.rawValue
            $0.provider = usage.provider
            $0.inputTokens = Int64(usage.inputTokens)
            $0.cachedInputTokens = Int64(usage.cachedInputTokens)
            $0.outputTokens = Int64(usage.outputTokens)
            $0.characters = Int64(usage.characters)
            $0.audioSeconds = usage.audioSeconds
        }))
        port.notify(.usage(usage))
    }
}

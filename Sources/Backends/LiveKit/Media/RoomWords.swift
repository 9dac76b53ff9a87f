import BackendKit
import Logging
import NIOCore
import SwiftProtobuf

/// What programs in a room are told of the conversation: the agent's state and the words of both sides. On the session's event loop.
final class RoomWords {
    private let library: LiveKitLibrary
    private let eventLoop: any EventLoop
    private let logger: Logger
    /// Of the agent.
    private let identity: String
    private var outbox: Outbox
    /// States do not wait for words, nor words for states: the library misses a server's answer that comes too soon, and then says nothing for 5 s.
    private var states: Outbox
    /// By then a state is on its way to the server, behind those before it.
    private static let statePause = TimeAmount.milliseconds(200)
    /// Messages that were dropped by outboxes of earlier joins.
    private var droppedBefore = 0
    /// Streams of different owners of a session differ, while their segments are the same.
    private let owner = String(UInt32.random(in: .min ... .max), radix: 36)
    private var transcription: Transcription
    /// What was told of the reply that is being spoken.
    private var told = ""
    private var state: AgentState
    /// The agent's published track.
    var track = ""

    init(library: LiveKitLibrary, on eventLoop: any EventLoop, logger: Logger, identity: String, session: String, isTakeover: Bool) {
        self.library = library
        self.eventLoop = eventLoop
        self.logger = logger
        self.identity = identity
        // People have seen the agent: one that seems to begin anew would be shown as not there yet.
        self.state = isTakeover ? .listening : .initializing
        self.transcription = Transcription(session: session, owner: owner)
        self.outbox = Outbox(library: library, on: eventLoop, logger: logger)
        self.states = Outbox(library: library, on: eventLoop, logger: logger, pause: Self.statePause)
    }

    /// The agent's attributes, for its token.
    var attributes: [String: String] { [Self.stateKey: state.rawValue] }
    private static let stateKey = "lk.agent.state"

    /// `participant`: the agent's, nil while it is not in the room; `caller`: whose words the transcripts are.
    ///
    /// - Returns: whether the state has changed
    func tell(_ notice: ClientNotice, by participant: UInt64?, caller: RoomPeople.Person?) -> Bool {
        let actions = transcription.take(notice)
        if let participant { for action in actions { send(action, by: participant, caller: caller) } }
        let next = state.after(notice)
        defer { state = next }
        return next != state
    }

    func sendState(by participant: UInt64) {
        let value = state.rawValue
        states.send(replacing: "state") { number in
            .setLocalAttributes(
                .with {
                    $0.localParticipantHandle = participant
                    $0.requestAsyncID = number
                    $0.attributes = [
                        .with {
                            $0.key = Self.stateKey
                            $0.value = value
                        }
                    ]
                })
        }
    }

    private func send(_ action: Transcription.Action, by participant: UInt64, caller: RoomPeople.Person?) {
        let (identity, owner) = (identity, owner)
        switch action {
        case .callerText(let segment, let text, let isFinal):
            guard let caller else { return }
            let attributes = TextStreams.attributes(segment: segment, track: caller.microphone ?? "", isFinal: isFinal)
            outbox.send(replacing: isFinal ? nil : segment) { number in
                TextStreams.whole(text, attributes, from: caller.identity, by: participant, number)
            }
            caption(segment, text, isFinal: isFinal, of: caller.identity, track: caller.microphone ?? "", by: participant)
        case .agentText(let segment, let text):
            let attributes = TextStreams.attributes(segment: segment, track: track, isFinal: true)
            outbox.send(replacing: segment) { TextStreams.whole(text, attributes, from: identity, by: participant, $0) }
            caption(segment, text, isFinal: true, of: identity, track: track, by: participant)
        case .open(let segment):
            let attributes = TextStreams.attributes(segment: segment, track: track, isFinal: false)
            told = ""
            outbox.send { TextStreams.header("\(segment)_\(owner)", attributes, from: identity, by: participant, $0) }
        case .write(let segment, let index, let text):
            told += text
            outbox.send { TextStreams.chunk("\(segment)_\(owner)", index, text, from: identity, by: participant, $0) }
            caption(segment, told, isFinal: false, of: identity, track: track, by: participant)
        case .close(let segment):
            let attributes = TextStreams.attributes(segment: segment, track: track, isFinal: true)
            outbox.send { TextStreams.trailer("\(segment)_\(owner)", attributes, from: identity, by: participant, $0) }
            caption(segment, told, isFinal: true, of: identity, track: track, by: participant)
        }
    }

    /// The same for programs that know no streams, such as `useVoiceAssistant` of LiveKit's React components. A newer one that waits replaces
    /// an older one.
    private func caption(_ segment: String, _ text: String, isFinal: Bool, of speaker: String, track: String, by participant: UInt64) {
        outbox.send(replacing: "caption \(segment)") { number in
            TextStreams.caption(segment, text, isFinal: isFinal, of: speaker, track: track, by: participant, number)
        }
    }

    /// The room is joined again: what was not sent is not sent any more, and the agent has no track there yet.
    func restart() {
        droppedBefore = close()
        outbox = Outbox(library: library, on: eventLoop, logger: logger)
        states = Outbox(library: library, on: eventLoop, logger: logger, pause: Self.statePause)
        track = ""
    }

    /// Calls back when everything has been sent, at once where nothing waits.
    func flush(_ done: @escaping () -> Void) {
        let states = states
        outbox.flush { states.flush(done) }
    }

    /// Nothing more is sent.
    ///
    /// - Returns: how many messages were dropped before
    func close() -> Int {
        outbox.close()
        states.close()
        return droppedBefore + outbox.dropped + states.dropped
    }
}

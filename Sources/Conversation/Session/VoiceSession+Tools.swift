import Logging
import NIOCore
import SessionLog
import SwiftProtobuf
import Telemetry

/// A tool call that is in the log and has no result yet.
struct OpenCall {
    let call: ToolCall
    /// The reply that called it.
    let reply: ReplyNumber
    /// When it was called, in monotonic nanoseconds.
    let began: Int64
    /// The call runs; nil while it waits for the log.
    var task: Task<Void, Never>?
    /// The client runs it, until this deadline.
    var awaited: Scheduled<Void>?

    var isWaitingForLog: Bool { task == nil && awaited == nil }

    func cancel() {
        task?.cancel()
        awaited?.cancel()
    }
}

/// Tools and the flow: what a reply does besides speaking.
extension VoiceSession {
    /// Runs the calls of a committed reply. A call is in the log before it runs; results are recorded even when the reply was stopped.
    func runTools(_ number: ReplyNumber) {
        guard let reply = replies[number], reply.isCommitted, reply.generation == nil, reply.runningTools == 0,
            !reply.toolCalls.isEmpty
        else { return }
        let calls = reply.toolCalls
        replies[number]?.toolCalls = []
        replies[number]?.runningTools = calls.count
        for call in calls { run(named(call), in: number) }
    }

    /// Some models give the first call of every answer the same id; in the log an id stands for one call.
    private func named(_ call: ToolCall) -> ToolCall {
        let known = Set(state.toolCalls.map(\.id))
        guard known.contains(call.id) || call.id.isEmpty else { return call }
        var call = call
        let name = call.id.isEmpty ? "call" : call.id
        call.id = (1...).lazy.map { "\(name)_\($0)" }.first { !known.contains($0) } ?? name
        return call
    }

    private func run(_ call: ToolCall, in number: ReplyNumber) {
        let configuration = offeredTools.first { $0.name == call.name }
        let key = "\(identity.session)/\(call.id)"
        openCalls.append(OpenCall(call: call, reply: number, began: clock))
        let sequence = log(.toolCalled(.with {
            $0.call = call.id
            $0.name = call.name
            $0.arguments = call.arguments
            $0.reply = number
            $0.idempotent = configuration?.idempotent ?? false
            $0.idempotencyKey = key
            $0.sideEffects = configuration?.sideEffects ?? false
        }))
        if configuration?.implementation != .client {
            port.notify(.toolStarted(name: call.name, call: call.id, arguments: call.arguments))
        }
        guard let configuration else {
            return returned(call, .init(.failed, content: "Unknown function: \(call.name)"))
        }
        if let builtIn = BuiltInTool(rawValue: call.name), configuration.implementation == .builtIn,
            let report = run(builtIn, call, in: number)
        {
            return returned(call, report)
        }
        // A log that cannot be reached must not leave the caller waiting: the call does not run then.
        let deadline = eventLoop.scheduleTask(in: .milliseconds(Int64(configuration.timeoutMilliseconds))) { [weak self] in
            self?.assumeIsolated { session in
                guard session.openCalls.contains(where: { $0.call.id == call.id && $0.isWaitingForLog }) else { return }
                session.returned(call, .init(.failed, content: "It was not run, because it could not be recorded."))
            }
        }
        journal.whenStored(sequence) { [weak self] in
            deadline.cancel()
            self?.assumeIsolated { $0.runOutside(call, configuration, key) }
        }
    }

    /// The call is stored: now it may run, at the client or outside of the loop.
    func runOutside(_ call: ToolCall, _ configuration: ToolConfiguration, _ key: String) {
        switch configuration.implementation {
        case .client: return requestOfClient(call, configuration)
        case .builtIn: return prepareTransfer(call)
        case .http: break
        }
        guard isLive, let index = openCalls.firstIndex(where: { $0.call.id == call.id }) else { return }
        let tools = environment.tools
        let session = identity.session
        // A tool outlives the reply that called it, so its task belongs to the session, which cancels it when it ends.
        openCalls[index].task = Task { [weak self] in
            let report = await tools.run(call, configuration: configuration, session: session, idempotencyKey: key)
            await self?.returned(call, report)
        }
    }

    func returned(_ call: ToolCall, _ report: ToolOutcomeReport) {
        guard life != .ended, let open = openCalls.first(where: { $0.call.id == call.id }) else { return }
        open.awaited?.cancel()
        openCalls.removeAll { $0.call.id == call.id }
        logResult(of: call, report, milliseconds: (clock - open.began) / 1_000_000)
        let number = open.reply
        if let reply = replies[number] {
            replies[number]?.runningTools = reply.runningTools - 1
            if reply.runningTools == 1 { goOn(number) }
        }
        port.flush()
    }

    /// All results are there: the model goes on, unless it has handed the conversation to another one.
    private func goOn(_ number: ReplyNumber) {
        guard replies[number]?.handOff == nil else { return completeText(number) }
        replies[number]?.step += 1
        generate(number)
    }

    func logResult(of call: ToolCall, _ report: ToolOutcomeReport, milliseconds: Int64) {
        log(.toolReturned(.with {
            $0.call = call.id
            $0.outcome = ToolOutcome(report.outcome)
            $0.content = report.content
            $0.durationMs = milliseconds
        }))
        port.notify(.toolEnded(name: call.name, call: call.id, cancelled: report.outcome == .cancelled, result: report.content))
    }

    /// The call ends while tools run: nobody will learn what came of them, but that is in the log.
    func abandonTools() {
        for open in openCalls {
            let report: ToolOutcomeReport =
                open.isWaitingForLog
                ? .init(.cancelled, content: "the call ended before it ran") : .init(.unknown, content: "the call ended while it ran")
            logResult(of: open.call, report, milliseconds: 0)
        }
    }

    // MARK: Built in

    /// What came of it; nil for one that takes its time and runs when its call is stored.
    private func run(_ tool: BuiltInTool, _ call: ToolCall, in number: ReplyNumber) -> ToolOutcomeReport? {
        switch tool {
        case .recordLead:
            let slots: [SlotValue]
            do {
                slots = try RecordLeadArguments.parse(call.arguments, lastWords: state.lastUserText)
            } catch {
                return .init(.failed, content: "\(error)")
            }
            for slot in slots { fill(slot, turn: replies[number]?.turn ?? 0, source: "tool") }
            return .init(.succeeded, content: #"{"recorded":\#(slots.count)}"#)
        case .endCall:
            replies[number]?.ends = .completed
            return .init(.succeeded, content: #"{"ending":true}"#)
        case .handOff: return prepareHandOff(call, in: number)
        case .transfer: return refusal(ofTransfer: call)
        }
    }

    // MARK: The flow

    func apply(_ step: FlowStep, turn: TurnNumber) {
        for slot in step.filled { fill(slot, turn: turn, source: "flow") }
        flow.node = step.node
        flow.memory = step.memory
        log(.flowMoved(.with {
            $0.flow = agent.flow?.record ?? ""
            $0.node = step.node
            $0.memory = step.memory
        }))
        // A caller may answer before the question is over.
        recognition?.expect(expectedAnswer)
    }

    private func fill(_ slot: SlotValue, turn: TurnNumber, source: String) {
        flow.slots[slot.slot] = slot
        log(.slotFilled(.with {
            $0.record = agent.flow?.record ?? "lead"
            $0.slot = slot.slot
            $0.value = slot.value
            $0.words = slot.words
            $0.turn = turn
            $0.source = source
            $0.refused = slot.refused
        }))
    }
}

extension ToolOutcome {
    init(_ outcome: ToolOutcomeReport.Outcome) {
        switch outcome {
        case .succeeded: self = .toolSucceeded
        case .failed: self = .toolFailed
        case .unknown: self = .toolUnknown
        case .cancelled: self = .toolCancelled
        }
    }
}

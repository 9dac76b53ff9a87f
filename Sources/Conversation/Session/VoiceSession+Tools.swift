import Logging
import NIOCore
import SessionLog
import SwiftProtobuf
import Telemetry

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
        for call in calls { run(call, in: number) }
    }

    private func run(_ call: ToolCall, in number: ReplyNumber) {
        let configuration = agent.tools.first { $0.name == call.name }
        let key = "\(identity.session)/\(call.id)"
        let sequence = log(.toolCalled(.with {
            $0.call = call.id
            $0.name = call.name
            $0.arguments = call.arguments
            $0.reply = number
            $0.idempotent = configuration?.idempotent ?? false
            $0.idempotencyKey = key
            $0.sideEffects = configuration?.sideEffects ?? false
        }))
        port.notify(.toolStarted(name: call.name, call: call.id))
        guard let configuration else {
            return returned(call, in: number, .init(.failed, content: "Unknown function: \(call.name)"), started: clock)
        }
        if let builtIn = BuiltInTool(rawValue: call.name), configuration.implementation == .builtIn {
            return returned(call, in: number, run(builtIn, call, in: number), started: clock)
        }
        journal.whenStored(sequence) { [weak self] in
            self?.assumeIsolated { $0.runOutside(call, configuration, key, in: number) }
        }
    }

    /// The call is stored: now it may run, outside of the loop.
    private func runOutside(_ call: ToolCall, _ configuration: ToolConfiguration, _ key: String, in number: ReplyNumber) {
        guard life != .ended else { return }
        let started = clock
        let tools = environment.tools
        let session = identity.session
        // A tool outlives the reply that called it, so its task belongs to the session, which cancels it when it ends.
        toolTasks[call.id] = Task { [weak self] in
            let report = await tools.run(call, configuration: configuration, session: session, idempotencyKey: key)
            await self?.returned(call, in: number, report, started: started)
        }
    }

    private func returned(_ call: ToolCall, in number: ReplyNumber, _ report: ToolOutcomeReport, started: Int64) {
        toolTasks[call.id] = nil
        guard life != .ended else { return }
        let duration = (clock - started) / 1_000_000
        log(.toolReturned(.with {
            $0.call = call.id
            $0.outcome = ToolOutcome(report.outcome)
            $0.content = report.content
            $0.durationMs = duration
        }))
        port.notify(.toolEnded(name: call.name, call: call.id, cancelled: report.outcome == .cancelled))
        guard let reply = replies[number] else { return }
        replies[number]?.runningTools = reply.runningTools - 1
        guard reply.runningTools == 1 else { return }
        replies[number]?.step += 1
        generate(number)
        port.flush()
    }

    // MARK: Built in

    private func run(_ tool: BuiltInTool, _ call: ToolCall, in number: ReplyNumber) -> ToolOutcomeReport {
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
            replies[number]?.endsCall = true
            return .init(.succeeded, content: #"{"ending":true}"#)
        }
    }

    // MARK: The flow

    func apply(_ step: FlowStep, turn: TurnNumber, reply: ReplyNumber) {
        for slot in step.filled { fill(slot, turn: turn, source: "flow") }
        flow.node = step.node
        flow.memory = step.memory
        log(.flowMoved(.with {
            $0.flow = agent.flow?.record ?? ""
            $0.node = step.node
            $0.memory = step.memory
        }))
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

import BackendKit
import NIOCore
import SwiftProtobuf

/// Calls between the agent and the programs of the people in its room: what they ask, and the tools that they run. On the session's event loop.
///
/// Unchecked because it is confined to that loop.
final class RoomCalls: @unchecked Sendable {
    /// Methods that people's programs may call.
    static let methods = ["transcript", "state"].map { prefix + $0 }
    private static let prefix = "parley."
    /// LiveKit's number for an error of the application.
    private static let applicationError: UInt32 = 1_500
    /// The longest timeout that a tool may have; the session gives up by itself after the tool's own.
    private static let toolPatience: UInt32 = 120_000
    /// The library says by itself that a program has not answered.
    private static let callPatience = TimeAmount.milliseconds(Int64(toolPatience)) + .seconds(10)

    private let library: LiveKitLibrary
    private let eventLoop: any EventLoop
    private let take: (ClientInput) -> Void
    /// The library's numbers of questions that wait for an answer.
    private var questions: [String: UInt64] = [:]
    /// Tool calls that a program has now.
    private var tools: Set<String> = []

    /// `take` gets questions and the results of tools, never from inside a call of this.
    init(library: LiveKitLibrary, on eventLoop: any EventLoop, _ take: @escaping (ClientInput) -> Void) {
        self.library = library
        self.eventLoop = eventLoop
        self.take = take
    }

    // MARK: Questions

    /// A room is joined, perhaps again: nobody waits for an answer there.
    func begin() { questions = [:] }

    func asked(_ method: String, _ payload: String, _ invocation: UInt64, isPerson: Bool, by participant: UInt64) {
        guard isPerson, method.hasPrefix(Self.prefix) else {
            return answer(invocation, problem: "only people in the room may ask this agent", by: participant)
        }
        let id = "rpc-\(invocation)"
        questions[id] = invocation
        take(.request(id: id, type: String(method.dropFirst(Self.prefix.count)), json: payload))
    }

    func answered(_ id: String, json: String? = nil, problem: String? = nil, by participant: UInt64) {
        guard let invocation = questions.removeValue(forKey: id) else { return }
        answer(invocation, payload: json, problem: problem, by: participant)
    }

    private func answer(_ invocation: UInt64, payload: String? = nil, problem: String? = nil, by participant: UInt64) {
        _ = try? library.request(
            .rpcMethodInvocationResponse(
                .with {
                    $0.localParticipantHandle = participant
                    $0.invocationID = invocation
                    if let payload { $0.payload = payload }
                    if let problem {
                        $0.error = .with {
                            $0.code = Self.applicationError
                            $0.message = problem
                        }
                    }
                }))
    }

    // MARK: Tools

    /// Has a tool run by the program of `person`: the method has its name, the payload is the arguments. Whatever comes of it is the result.
    func run(_ name: String, call: String, arguments: String, of person: String?, by participant: UInt64?) {
        // The session asks again for what may run twice; one answer is enough.
        guard tools.insert(call).inserted else { return }
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        let eventLoop = eventLoop
        let finish: @Sendable (String) -> Void = { content in
            eventLoop.execute {
                guard bound.value.tools.remove(call) != nil else { return }
                bound.value.take(.toolResult(call: call, content: content))
            }
        }
        guard let person, let participant else { return finish("error: nobody is in the room whose program could run '\(name)'") }
        do {
            try library.call(on: eventLoop, within: Self.callPatience) { number in
                .performRpc(
                    .with {
                        $0.localParticipantHandle = participant
                        $0.destinationIdentity = person
                        $0.method = name
                        $0.payload = arguments
                        $0.responseTimeoutMs = Self.toolPatience
                        $0.requestAsyncID = number
                    })
            } _: { answer in
                finish(Self.content(answer, name))
            }
        } catch {
            finish("error: '\(name)' cannot be called: \(error.message)")
        }
    }

    private static func content(_ answer: Result<FfiEvent, LiveKitError>, _ name: String) -> String {
        let event: FfiEvent
        do { event = try answer.get() } catch { return "error: '\(name)' had no result: \(error.message)" }
        guard case .performRpc(let answer) = event.message else { return "error: '\(name)' had no result" }
        guard answer.hasError else { return answer.payload }
        return "error: the caller's program did not run '\(name)': \(answer.error.message) (\(answer.error.code))"
    }
}

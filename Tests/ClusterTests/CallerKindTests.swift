import CallerSimulator
import ClusterSupport
import Foundation
import NIOCore
import PipecatBackend
import ProviderSimulator
import Testing
import WebSocket

extension ClusterTests {
    @Suite struct CallerKindTests {
        @Test func aCallerWhoOnlyTypesHoldsAConversation() async throws {
            let bed = try await Testbed.shared()
            let caller = WireCaller(try bed.request(agent: "lead-qualification"))
            try await caller.opened()
            caller.ready()
            #expect(try await caller.message("bot-ready").id == "ready")
            try await caller.message("bot-stopped-speaking")
            caller.send("send-text", id: "1", ["content": "My name is Anna Schmidt."])
            #expect(try await caller.message("user-input").text == "My name is Anna Schmidt.")
            try await caller.message("bot-stopped-speaking", 2)
            caller.send("send-text", id: "2", ["content": "I work for Northwind Traders."])
            try await caller.message("bot-stopped-speaking", 3)
            let said = caller.all("bot-transcription").map(\.text).joined(separator: " ")
            #expect(
                said.contains("Acme Analytics") && said.contains("Nice to meet you, Anna Schmidt")
                    && said.contains("What can we do for you?"))
            #expect(caller.state.samples > 16_000, "a caller who types still hears the agent")
            #expect(caller.all("error").isEmpty && caller.all("error-response").isEmpty)
            caller.send("disconnect-bot")
            let closure = try await caller.closure()
            #expect(closure.code == .normal, "\(closure)")
        }

        @Test func aCallersProgramRunsATool() async throws {
            let bed = try await Testbed.shared()
            let caller = WireCaller(try bed.request(agent: "clerk"))
            try await caller.opened()
            caller.ready()
            try await caller.message("bot-ready")
            caller.send("send-text", id: "1", ["content": "Where am I?"])
            let call = try await caller.message("llm-function-call-in-progress")
            #expect(call.function == "locate")
            let result: [String: Any] = [
                "function_name": "locate", "tool_call_id": call.call, "arguments": [String: Any](), "result": ["street": "Main Street"],
            ]
            caller.send("llm-function-call-result", id: "2", result)
            #expect(try await caller.message("llm-function-call-stopped").call == call.call)
            try await caller.message("bot-stopped-speaking")
            #expect(caller.all("bot-transcription").map(\.text).contains("You are there."))
            caller.send("llm-function-call-result", id: "3", result.merging(["result": "elsewhere"]) { $1 })
            #expect(try await caller.message("error").text.contains("is waiting for the client"))
            caller.send("disconnect-bot")
            #expect(try await caller.closure().code == .normal)
        }

        /// Its audio stays where it is while it takes none: it hears all of the announcement in the end, and nobody else notices.
        @Test func aCallerWhoDoesNotReadHearsEverythingLater() async throws {
            let bed = try await Testbed.shared()
            let dispatcher = try #require(bed.cluster.pid("dispatcher-1")),
                worker = try #require(bed.cluster.pid("media-worker-1"))
            async let patient = announcement(bed) { _ in }
            let memory = try await residentBytes(dispatcher, worker)
            async let throttled = announcement(bed) { caller in
                for _ in 0..<2 {
                    let heard = caller.state.samples
                    try await eventually("a second of audio more") { caller.state.samples > heard + 16_000 }
                    let before = await throttles(bed)
                    caller.setReading(false)
                    try await eventually("back pressure") { await throttles(bed) > before }
                    // A whole conversation passes meanwhile.
                    let report = try await bed.call(lines: 1)
                    #expect(report.failures.isEmpty && report.endedBy == "caller", "\(report)")
                    let growth = try await residentBytes(dispatcher, worker) - memory
                    #expect(growth < 64 << 20, "a caller who does not read costs \(growth) bytes")
                    caller.setReading(true)
                }
            }
            let (whole, delayed) = try await (patient, throttled)
            #expect(bed.cluster.pid("dispatcher-1") == dispatcher && bed.cluster.pid("media-worker-1") == worker)
            let spoken = ToneVoice.layout(Testbed.monologue, rate: 16_000).count
            #expect(whole > spoken * 9 / 10)
            // The relay holds 200 ms at most and drops what is older: that much may be missing of each of the two pauses.
            #expect(delayed >= whole - 2 * 2 * 3_200, "\(delayed) of \(whole) samples were heard")
        }

        /// A call of the agent that speaks for half a minute; returns the samples that were heard when it had finished.
        private func announcement(_ bed: Testbed, _ meanwhile: @Sendable (WireCaller) async throws -> Void) async throws
            -> Int
        {
            let caller = WireCaller(try bed.request(agent: "monologue"))
            try await caller.opened()
            caller.ready()
            caller.keepListening()
            try await meanwhile(caller)
            try await caller.message("bot-stopped-speaking")
            caller.send("disconnect-bot")
            #expect(try await caller.closure().code == .normal)
            #expect(caller.all("error").isEmpty)
            return caller.state.samples
        }

        private func throttles(_ bed: Testbed) async -> Double {
            await bed.metric("parley_dispatcher_throttles_total", of: "dispatcher-1") ?? 0
        }

        private func residentBytes(_ pids: Int32...) async throws -> Int {
            try pids.reduce(0) { sum, pid in sum + (try #require(ProcessUsage(pid: pid)).residentBytes) }
        }
    }
}

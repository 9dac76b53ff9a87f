import Audio
import BackendKit
import Foundation
import NIOCore
import PipecatBackend
import Testing

/// Every message to a client, in both framings and for clients of both versions.
@Suite struct RTVINoticeTests {
    private let sentence = SentenceID(reply: 3, index: 2)

    private func keys(_ message: RTVIMessage?) -> [String] { message?.data.keys.sorted() ?? [] }

    @Test(arguments: Framing.allCases) func aSentenceGoesThroughItsStates(_ framing: Framing) throws {
        var peer = RTVIPeer(framing)
        let new: [RTVIMessage] = try peer.told(.sentence(sentence, text: "We sell tea.", .new))
        #expect(new.map(\.type) == ["bot-output"])
        #expect(
            keys(new.first) == [
                "aggregated_by", "output_type", "segment_id", "spoken_progress", "spoken_status", "text", "text_type", "will_be_spoken",
            ])
        #expect(new.first?.data["segment_id"] as? Int == 30_002)
        #expect(new.first?.data["spoken_status"] as? String == "new")
        #expect(new.first?.data["spoken_progress"] as? [String: String] == ["accumulated_text": "", "remaining_text": "We sell tea."])
        let begins: [RTVIMessage] = try peer.told(.sentence(sentence, text: "We sell tea.", .inProgress))
        #expect(begins.map(\.type) == ["bot-output", "bot-transcription", "bot-tts-text"])
        let goesOn: [RTVIMessage] = try peer.told(.spoken(sentence, text: "We", remaining: " sell tea."))
        #expect(goesOn.first?.data["text"] as? String == "We sell tea.")
        #expect(goesOn.first?.data["spoken_status"] as? String == "in-progress")
        #expect(goesOn.first?.data["spoken_progress"] as? [String: String] == ["accumulated_text": "We", "remaining_text": " sell tea."])
        let ends: [RTVIMessage] = try peer.told(.sentence(sentence, text: "We sell tea.", .completed))
        #expect(ends.first?.data["spoken_status"] as? String == "completed")
        #expect(ends.first?.data["spoken_progress"] as? [String: String] == ["accumulated_text": "We sell tea.", "remaining_text": ""])
    }

    @Test(arguments: Framing.allCases) func whatIsNotSpokenSaysSo(_ framing: Framing) throws {
        var peer = RTVIPeer(framing)
        let written: [RTVIMessage] = try peer.told(.sentence(sentence, text: "Tea.", .textOnly))
        #expect(written.map(\.type) == ["bot-output", "bot-transcription"])
        #expect(written.first?.data["will_be_spoken"] as? Bool == false)
        #expect(written.first?.data["spoken_progress"] == nil)
    }

    @Test(arguments: Framing.allCases) func clientsOfVersion1GetItsShapes(_ framing: Framing) throws {
        var peer = RTVIPeer(framing, version: "1.4.0")
        let new: [RTVIMessage] = try peer.told(.sentence(sentence, text: "Tea.", .new))
        #expect(keys(new.first) == ["aggregated_by", "spoken", "text"])
        #expect(new.first?.data["spoken"] as? Bool == false)
        let begins: [RTVIMessage] = try peer.told(.sentence(sentence, text: "Tea.", .inProgress))
        #expect(begins.map(\.type) == ["bot-transcription", "bot-tts-text"])
        let goesOn: [RTVIMessage] = try peer.told(.spoken(sentence, text: "Te", remaining: "a."))
        #expect(goesOn.isEmpty)
        let ends: [RTVIMessage] = try peer.told(.sentence(sentence, text: "Tea.", .completed))
        #expect(ends.first?.data["spoken"] as? Bool == true)
        let call: [RTVIMessage] = try peer.told(.toolRequested(name: "f", call: "c", arguments: #"{"a":1}"#))
        #expect(call.map(\.type) == ["llm-function-call"])
        #expect(keys(call.first) == ["args", "function_name", "tool_call_id"])
    }

    @Test(arguments: Framing.allCases) func whatTheCallerSaysIsToldAsItIsRecognisedAndOnceMoreAsATurn(_ framing: Framing) throws {
        var peer = RTVIPeer(framing)
        let interim: [RTVIMessage] = try peer.told(.userTranscript(text: "I wa", final: false, at: .zero))
        #expect(interim.map(\.type) == ["user-input", "user-transcription"])
        #expect(interim.map { $0.data["final"] as? Bool } == [false, false])
        let final: [RTVIMessage] = try peer.told(.userTranscript(text: "I want tea", final: true, at: .zero))
        #expect(final.first?.data["input_type"] as? String == "transcription")
        let turn: [RTVIMessage] = try peer.told(.userTurn(text: "I want tea", input: .speech))
        #expect(turn.map(\.type) == ["user-llm-text"])
        let backchannel: [RTVIMessage] = try peer.told(.userBackchannel("mhm"))
        #expect(backchannel.first?.data["input_type"] as? String == "backchannel")
        let keys: [RTVIMessage] = try peer.told(.userTurn(text: "12#", input: .dtmf))
        #expect(keys.map(\.type) == ["user-input", "user-transcription", "user-llm-text"])
    }

    @Test(arguments: Framing.allCases) func typedTextIsToldWithTheIDOfItsMessage(_ framing: Framing) throws {
        var peer = RTVIPeer(framing)
        _ = peer.send(type: "send-text", id: "m-1", data: #"{"content":"hi"}"#)
        let turn: [RTVIMessage] = try peer.told(.userTurn(text: "hi", input: .text))
        #expect(turn.map(\.type) == ["user-input", "user-llm-text"])
        #expect(turn.first?.data["input_type"] as? String == "chat")
        #expect(turn.first?.data["msg_id"] as? String == "m-1")
        let next: [RTVIMessage] = try peer.told(.userTurn(text: "again", input: .text))
        #expect(next.first?.data["msg_id"] == nil)
    }

    @Test(arguments: Framing.allCases) func callsOfToolsSayNoMoreThanThatTheyAre(_ framing: Framing) throws {
        var peer = RTVIPeer(framing)
        let begins: [RTVIMessage] = try peer.told(.toolStarted(name: "secret", call: "c1", arguments: #"{"pin":1}"#))
        #expect(begins.map(\.type) == ["llm-function-call-started", "llm-function-call-in-progress"])
        #expect(begins.map(keys) == [[], ["tool_call_id"]])
        let ends: [RTVIMessage] = try peer.told(.toolEnded(name: "secret", call: "c1", cancelled: false, result: "42"))
        #expect(keys(ends.first) == ["cancelled", "tool_call_id"])
        // Models leave the object out now and then.
        let requested: [RTVIMessage] = try peer.told(.toolRequested(name: "f", call: "c2", arguments: "nonsense"))
        #expect(keys(requested.last) == ["arguments", "function_name", "tool_call_id"])
        #expect(requested.last?.data["arguments"] as? [String: Int] == [:])
    }

    @Test(arguments: Framing.allCases) func answersCarryTheirIDsAndJSON(_ framing: Framing) throws {
        var peer = RTVIPeer(framing)
        let text: String = try peer.told(.response(id: "q", type: "state", json: #"{"a":[1,null]}"#))
        #expect(text == #"{"data":{"d":{"a":[1,null]},"t":"state"},"id":"q","label":"rtvi-ai","type":"server-response"}"#)
        let error: [RTVIMessage] = try peer.told(.errorResponse(id: "q", message: "no"))
        #expect(error.first?.id == "q")
    }

    @Test(arguments: Framing.allCases) func whatIsMeasuredIsInSeconds(_ framing: Framing) throws {
        var peer = RTVIPeer(framing)
        var latency = TurnLatency(reply: 1)
        latency.speechEnd = 0
        latency.mark(.llmRequest, at: 100_000_000)
        latency.mark(.firstToken, at: 350_000_000)
        let metrics: [RTVIMessage] = try peer.told(.latency(latency))
        let ttfb = metrics.first?.data["ttfb"] as? [[String: Any]]
        #expect(ttfb?.count == 1)
        #expect(ttfb?.first?["value"] as? Double == 0.25)
        var usage = ProviderUsage(.languageModel, provider: "openai/x")
        usage.inputTokens = 7
        usage.outputTokens = 2
        let tokens: [RTVIMessage] = try peer.told(.usage(usage))
        #expect((tokens.first?.data["tokens"] as? [[String: Int]])?.first == ["prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9])
    }

    // MARK: Audio and interruptions of the JSON transport

    private static func audio(_ codec: inout RTVICodec, _ samples: [Int16]) throws -> [String: Any] {
        var out = ByteBuffer()
        codec.encode(samples.span, into: &out)
        #expect(out.readableBytes <= samples.count * 2 + codec.audioOverhead)
        let object = try JSONSerialization.jsonObject(with: Data(out.readableBytesView)) as? [String: Any]
        return try #require(object)
    }

    @Test(arguments: [0, 1, 2, 3, 319, 320]) func theAgentsAudioIsInJSON(count: Int) throws {
        var codec = RTVICodec()
        let samples = (0..<count).map { Int16(truncatingIfNeeded: $0 * 777 - 30_000) }
        let message = try Self.audio(&codec, samples)
        #expect(message["type"] as? String == "bot-tts-audio")
        let data = try #require(message["data"] as? [String: Any])
        #expect(data["sample_rate"] as? Int == 16_000)
        #expect(data["num_channels"] as? Int == 1)
        let text = try #require(data["audio"] as? String)
        let bytes = try #require(Data(base64Encoded: text))
        #expect(Array(bytes) == samples.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8(truncatingIfNeeded: $0 >> 8)] })
    }

    @Test func aClientIsToldOnceToDropWhatItHas() throws {
        var codec = RTVICodec()
        #expect(codec.interruption() == nil)
        _ = try Self.audio(&codec, [1, 2])
        #expect(try codec.interruption().map(Framing.json.read)?.type == "bot-interrupted")
        #expect(codec.interruption() == nil)
        #expect(codec.encode(.interrupted(1)).isEmpty)
        // The next one is another one, and was not told while audio was dropped.
        #expect(codec.encode(.interrupted(2)).count == 1)
    }

    @Test func audioThatFollowsAnInterruptionCanBeInterruptedToo() throws {
        var codec = RTVICodec()
        // It would say more than that audio is to be dropped.
        #expect(!codec.dropsQuietly && PipecatCodec().dropsQuietly)
        _ = try Self.audio(&codec, [1])
        #expect(codec.interruption() != nil)
        _ = try Self.audio(&codec, [1])
        #expect(codec.encode(.interrupted(1)).count == 1)
    }
}

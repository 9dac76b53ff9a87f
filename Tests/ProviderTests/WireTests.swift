import Audio
import Conversation
import NIOCore
import Testing
import WebSocket
import WireCoding

@testable import AnthropicProvider
@testable import CartesiaProvider
@testable import DeepgramProvider
@testable import ElevenLabsProvider
@testable import OpenAIProvider
@testable import ProviderSupport

/// The vendors' protocols without a socket.
@Suite struct WireTests {
    private func decode(_ chunks: [String], cut: Int? = nil) throws -> [String] {
        var decoder = OpenAIStreamDecoder(provider: "openai/x")
        var seen: [String] = []
        let emit: (GenerationEvent) -> Void = { event in
            switch event {
            case .text(let text): seen.append(text)
            case .toolCall(let call): seen.append("\(call.name)(\(call.arguments))")
            case .finished(let reason, let usage): seen.append("\(reason.rawValue) \(usage.input)/\(usage.output)")
            default: break
            }
        }
        let stream = chunks.map { "data: \($0)\n\n" }.joined()
        let bytes = Array(stream.utf8)
        try decoder.decode(ByteBuffer(bytes: bytes[..<(cut ?? bytes.count)]), emit)
        if let cut { try decoder.decode(ByteBuffer(bytes: bytes[cut...]), emit) }
        try decoder.end(emit)
        return seen
    }

    @Test func compatibleServersMayDeviate() throws {
        // A whole call in one chunk, no index, empty id, arguments as an object, stop after tool calls, no [DONE], no usage.
        #expect(
            try decode([
                #"{"choices":[{"delta":{"role":"assistant","content":null,"reasoning_content":"hm"}}]}"#,
                #"{"choices":[{"delta":{"role":"assistant","tool_calls":[{"id":"","type":"function","function":{"name":"a","arguments":{"x":1}}}]}}]}"#,
                #"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#,
            ]) == [#"a({"x":1})"#, "toolCalls 0/0"])
        // Two calls that interleave by index; a usage chunk without choices.
        #expect(
            try decode([
                #"{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"1","function":{"name":"a","arguments":""}},{"index":1,"id":"2","function":{"name":"b","arguments":"{"}}]}}]}"#,
                #"{"choices":[{"delta":{"tool_calls":[{"index":1,"function":{"arguments":"}"}},{"index":0,"function":{"arguments":"{}"}}]}}]}"#,
                #"{"choices":[{"delta":{},"finish_reason":"tool_calls"}],"usage":null}"#,
                #"{"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":3,"prompt_tokens_details":{"cached_tokens":2}}}"#,
                "[DONE]",
            ]) == ["a({})", "b({})", "toolCalls 7/3"])
        // The same index for two ids.
        #expect(
            try decode([
                #"{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"1","function":{"name":"a","arguments":"{}"}}]}}]}"#,
                #"{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"2","function":{"name":"b","arguments":"{\"y\":"}}]}}]}"#,
                #"{"choices":[{"delta":{},"finish_reason":"tool_calls"}]}"#, "[DONE]",
            ]) == ["a({})", #"b({"y":null})"#, "toolCalls 0/0"])
    }

    @Test func everyCutOfAStreamDecodesTheSame() throws {
        let chunks = [
            #"{"choices":[{"delta":{"content":"Grü"}}]}"#,
            #"{"choices":[{"delta":{"content":"ezi 😀"},"finish_reason":"stop"}]}"#, "[DONE]",
        ]
        let length = chunks.map { "data: \($0)\n\n" }.joined().utf8.count
        for cut in 0...length { #expect(try decode(chunks, cut: cut) == ["Grü", "ezi 😀", "stop 0/0"]) }
    }

    @Test func errorsAndEarlyEndsAreTyped() {
        func category(_ chunks: [String]) -> ProviderError.Category? {
            do { _ = try decode(chunks) } catch let error as ProviderError { return error.category } catch {}
            return nil
        }
        #expect(category([#"{"error":{"message":"x","code":"insufficient_quota"}}"#]) == .quota)
        #expect(category([#"{"error":{"message":"x","code":429}}"#]) == .rateLimited)
        #expect(category([#"{"choices":[{"delta":{"content":"a"}}]}"#]) == .connectivity)
        #expect(category(["{"]) == .protocolViolation)
    }

    @Test(arguments: [
        ("", "{}"), ("  ", "{}"), ("null", "{}"), (#"{"a":1}"#, #"{"a":1}"#), (#"{"a":"b"#, #"{"a":"b"}"#),
        (#"{"a":[1,"#, #"{"a":[1]}"#),
        (#"{"a":"#, #"{"a":null}"#), (#""{\"a\":1}""#, #"{"a":1}"#), ("not json", "not json"),
    ])
    func argumentsAreRepaired(text: String, repaired: String) {
        #expect(JSONRepair.object(text) == repaired)
    }

    @Test func contextsAreBroughtIntoTheVendorsOrder() {
        var context = ChatContext()
        context.append(ChatMessage(.assistant, "Let me see."))
        context.append(ToolCall(id: "1", name: "a", arguments: "{}"))
        context.append(ToolCall(id: "2", name: "b", arguments: "{}"))
        context.append(ChatMessage(.user, "Hurry!"))
        context.append(ToolResult(callID: "2", name: "b", content: "two"))
        context.append(ToolResult(callID: "9", name: "c", content: "nobody asked"))
        context.append(ChatMessage(.assistant, ""))
        let turns = ChatTurn.turns(of: context)
        guard turns.count == 2, case .assistant("Let me see.", let calls) = turns[0] else {
            Issue.record("\(turns)")
            return
        }
        #expect(calls.map(\.result.content) == ["No result: it is not known whether this call had an effect.", "two"])
        #expect(turns[1] == .user("Hurry!"))
    }

    @Test func anthropicsFirstMessageIsTheUsersAndRolesAlternate() throws {
        var context = ChatContext()
        context.append(ChatMessage(.assistant, "Hello, who is calling?"))
        context.append(ChatMessage(.user, "Anna."))
        context.append(ChatMessage(.user, "Schmidt."))
        context.append(ToolCall(id: "t1", name: "record_lead", arguments: "garbage"))
        context.append(ToolResult(callID: "t1", name: "record_lead", content: "no", isError: true))
        context.append(ChatMessage(.user, "And?"))
        let encoder = AnthropicRequestEncoder(provider: "anthropic/x", model: "x", caches: true)
        let body = try encoder.body(GenerationRequest(session: "s", instructions: "I", context: context))
        let messages = try JSONDocument(body).root["messages"].elements
        #expect(messages.compactMap { $0["role"].string } == ["user", "assistant", "user", "assistant", "user"])
        #expect(messages[2]["content"].elements.count == 2)
        #expect(
            messages[4]["content"][0]["type"].equals("tool_result") && messages[4]["content"][1]["text"].equals("And?"))
        #expect(messages[3]["content"][0]["input"].isObject)
    }

    @Test func deepgramTimesBecomeTheStreamsAcrossConnections() throws {
        func results(_ text: String, _ start: Double, _ end: Double, final: Bool) throws -> DeepgramMessage {
            try DeepgramMessage.decode(
                ByteBuffer(
                    string: """
                        {"type":"Results","start":\(start),"duration":\(end - start),"is_final":\(final),"speech_final":\(final),
                        "channel":{"alternatives":[{"transcript":"\(text)","confidence":0.5,"words":[{"word":"x","start":\(start),"end":\(end)}]}]}}
                        """), provider: "d")
        }
        var timeline = DeepgramTimeline()
        let second = [Int16](repeating: 1, count: 16_000)
        timeline.connected()
        for _ in 0..<5 { timeline.append(second.span) }
        #expect(timeline.take(limit: 1_000_000) { _ in } == 80_000)
        _ = timeline.event(try results("a", 1, 2, final: false))
        _ = timeline.event(try results("a b", 1, 3, final: true))
        // Nothing is being recognised when the connection breaks: the new one begins with the last two seconds.
        timeline.append(second.span)
        timeline.connected()
        #expect(timeline.take(limit: 1_000_000) { _ in } == 32_000)
        guard case .final(let transcript) = timeline.event(try results("c", 0.5, 1, final: true)) else {
            Issue.record("no final")
            return
        }
        #expect(
            transcript.start == SessionTime(milliseconds: 4_500) && transcript.end == SessionTime(milliseconds: 5_000))
        #expect(timeline.usage(minimum: 0) == 7)
    }

    @Test func retainedAudioForgetsTheOldestAndKeepsPositions() {
        var audio = RetainedAudio()
        var next: Int16 = 0
        for _ in 0..<600 {
            let frame = (0..<320).map { _ in
                next &+= 1
                return next
            }
            audio.append(frame.span)
        }
        #expect(audio.end == 192_000 && audio.count == 160_000 && audio.dropped == 32_000)
        var first: Int16?
        #expect(audio.read(from: 100_000, limit: 2) { first = first ?? $0[0] } == 2)
        #expect(first == Int16(truncatingIfNeeded: 100_001))
        audio.confirm(upTo: 191_999)
        #expect(audio.count == 1)
        audio.confirm(upTo: 1_000_000)
        #expect(audio.count == 0 && audio.end == 192_000)
    }

    private var elevenLabs: ElevenLabsWire {
        get throws {
            ElevenLabsWire(
                provider: "e", request: WebSocketRequest(try WebSocketURL("ws://x/")), settings: .init(speed: 1))
        }
    }

    @Test func aBargeInStormNeverOpensASixthContext() throws {
        var queue = SpeechQueue(try elevenLabs, prefix: "p")
        var open: Set<String> = []
        var most = 0
        var reconnects = 0
        func run(_ actions: [SpeechQueue.Action]) throws {
            for action in actions {
                switch action {
                case .send(let messages):
                    for message in messages {
                        let json = try JSONDocument(message).root
                        if let context = json["context_id"].string, json["text"].exists { open.insert(context) }
                    }
                    most = max(most, open.count)
                case .reconnect:
                    reconnects += 1
                    open = []
                    try run(queue.lost(ProviderError(.cancelled, provider: "e", message: "")))
                    try run(queue.opened())
                case .emit: break
                }
            }
        }
        try run(queue.opened())
        for reply in UInt32(1)...20 {
            for index in UInt32(0)..<4 { try run(queue.speak("x", as: SentenceID(reply: reply, index: index))) }
            try run(queue.cancel(reply: reply))  // and the vendor never says that it has closed a context
        }
        #expect(most <= 5)
        #expect(reconnects > 0)
    }

    @Test func audioOfALaterSentenceWaitsForTheEarlierOne() throws {
        var queue = SpeechQueue(try elevenLabs, prefix: "p")
        var log: [String] = []
        func run(_ actions: [SpeechQueue.Action]) {
            for case .emit(let event) in actions {
                switch event {
                case .audio(let id, _): log.append("audio \(id)")
                case .finished(let id, let characters): log.append("finished \(id) \(characters)")
                case .failed(let id, _, let terminal): log.append("failed \(id.map { "\($0)" } ?? "-") \(terminal)")
                default: break
                }
            }
        }
        run(queue.opened())
        run(queue.speak("ab", as: SentenceID(reply: 1, index: 0)))
        run(queue.speak("c", as: SentenceID(reply: 1, index: 1)))
        run(queue.received(.audio(context: "p-2", [1])))
        run(queue.received(.ended(context: "p-2")))
        #expect(log.isEmpty)
        run(queue.received(.audio(context: "p-1", [1])))
        run(queue.received(.ended(context: "p-1")))
        #expect(log == ["audio 1.0", "finished 1.0 2", "audio 1.1", "finished 1.1 1"])
        run(queue.received(.audio(context: "p-1", [1])))  // late and unknown
        #expect(log.count == 4)
        run(queue.speak("d", as: SentenceID(reply: 2, index: 0)))
        run(queue.gaveUp(ProviderError(.authentication, provider: "e", message: "")))
        #expect(log.suffix(2) == ["failed 2.0 false", "failed - true"])
    }

    @Test func charactersBecomeWordsAcrossMessages() throws {
        let wire = try elevenLabs
        let message =
            #"{"contextId":"c","audio":"AQACAA==","isFinal":null,"alignment":{"chars":["H","i"," ","y"],"charStartTimesMs":[0,10,20,30],"charDurationsMs":[10,10,10,10]}}"#
        let events = try wire.decode(ByteBuffer(string: message))
        #expect(events.count == 2)
        guard case .characters("c", let characters) = events[0] else { Issue.record("\(events)"); return }
        #expect(events[1] == .audio(context: "c", [1, 2]))
        var assembler = WordAssembler()
        let words = assembler.add(characters, offset: 1_600)
        #expect(words == [SpokenWord(word: "Hi", start: SessionTime(samples: 1_600), end: SessionTime(samples: 1_920))])
        _ = assembler.add([SpokenCharacter("o", start: 0, end: 16)], offset: 3_200)
        #expect(assembler.finish()?.word == "yo")
        #expect(throws: ProviderError.self) { try wire.decode(ByteBuffer(string: "}not json{")) }
        #expect(
            try wire.decode(ByteBuffer(string: #"{"message":"m","error":"quota_exceeded","code":1008}"#)).first
                == .failed(context: nil, ProviderError(.quota, provider: "e", message: "m")))
    }

    @Test func anInterruptedCancelFreesACartesiaPlaceAtOnce() throws {
        let wire = CartesiaWire(
            provider: "c", request: WebSocketRequest(try WebSocketURL("ws://x/")), model: "sonic-3", voice: "v",
            language: "en", speed: 1)
        var queue = SpeechQueue(wire, prefix: "p")
        _ = queue.opened()
        for reply in UInt32(1)...9 {
            let actions = queue.speak("x", as: SentenceID(reply: reply, index: 0))
            #expect(actions.contains { if case .send = $0 { true } else { false } })
            _ = queue.cancel(reply: reply)
        }
    }
}

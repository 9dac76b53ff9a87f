import BackendKit
import NIOCore
import PipecatBackend
import Testing

/// Every message of a client, in both framings.
@Suite struct RTVIRequestTests {
    // MARK: The handshake

    @Test(arguments: Framing.allCases, [("2.2.0", nil), ("2.0.0", nil), ("2.9.1", nil), ("1.4.0", nil)] as [(String, String?)])
    func versionsOfTheSameMajorAndOfTheOneBeforeAreServed(_ framing: Framing, _ version: (String, String?)) throws {
        var peer = RTVIPeer(framing, version: nil)
        let meanings = peer.send(type: "client-ready", id: "abc", data: #"{"version":"\#(version.0)","about":{"library":"x"}}"#)
        #expect(meanings.inputs == [.ready])
        #expect(meanings.answers.isEmpty)
        let ready: [RTVIMessage] = try peer.told(.ready)
        #expect(ready.map(\.type) == ["bot-ready"])
        #expect(ready.first?.id == "abc")
        let expected = version.0.hasPrefix("1.") ? version.0 : "2.2.0"
        #expect(ready.first?.data["version"] as? String == expected)
    }

    @Test(arguments: Framing.allCases, [#"{"version":"3.0.0"}"#, #"{"version":"0.3.0"}"#, #"{"version":"two"}"#, #"{"version":"2.2"}"#, #"{"version":7}"#, "{}"])
    func otherVersionsAreToldSoAndServed(_ framing: Framing, _ data: String) throws {
        var peer = RTVIPeer(framing, version: nil)
        let meanings = peer.send(type: "client-ready", id: "abc", data: data)
        #expect(meanings.inputs == [.ready])
        #expect(meanings.answers.map(\.type) == ["error-response"])
        #expect(meanings.answers.first?.id == "abc")
        #expect(meanings.error?.hasSuffix("Compatibility issues may occur.") == true)
        let ready: [RTVIMessage] = try peer.told(.ready)
        #expect(ready.map(\.type) == ["bot-ready"])
    }

    @Test(arguments: Framing.allCases) func botReadyAnswersTheHandshakeOnceAndNobodyElse(_ framing: Framing) throws {
        var peer = RTVIPeer(framing)
        let again: [RTVIMessage] = try peer.told(.ready)
        #expect(again.isEmpty)
    }

    @Test(arguments: Framing.allCases) func anotherWorkerGoesOnWithTheSameClient(_ framing: Framing) throws {
        let first = RTVIPeer(framing, version: "1.4.2")
        var other = first
        other.codec = framing.makeCodec(handshake: first.codec.record.handshake)
        #expect(other.codec.record == first.codec.record)
        let output: [RTVIMessage] = try other.told(.sentence(SentenceID(reply: 1, index: 0), text: "Hello.", .completed))
        #expect(output.first?.data["spoken"] as? Bool == true)
    }

    // MARK: What the caller does

    @Test(arguments: Framing.allCases) func textBecomesAnInputWithItsOptions(_ framing: Framing) {
        var peer = RTVIPeer(framing)
        #expect(peer.send(type: "send-text", data: #"{"content":"hi \"you\" \u00e9"}"#).inputs == [.text("hi \"you\" é", interrupts: true, speak: true)])
        let options = #"{"content":"hi","options":{"run_immediately":false,"audio_response":false}}"#
        #expect(peer.send(type: "send-text", data: options).inputs == [.text("hi", interrupts: false, speak: false)])
        #expect(peer.send(type: "send-text", data: #"{"content":"hi","options":null}"#).inputs == [.text("hi", interrupts: true, speak: true)])
    }

    @Test(arguments: Framing.allCases) func keysCallsAndTheEndBecomeInputs(_ framing: Framing) {
        var peer = RTVIPeer(framing)
        #expect(peer.send(type: "dtmf", data: ##"{"buttons":["1","#","*"]}"##).inputs == [.dtmf("1#*")])
        #expect(peer.send(type: "disconnect-bot").inputs == [.hangUp])
        let text = #"{"function_name":"f","tool_call_id":"c1","arguments":{},"result":"sunny"}"#
        #expect(peer.send(type: "llm-function-call-result", data: text).inputs == [.toolResult(call: "c1", content: "sunny")])
        let object = #"{"function_name":"f","tool_call_id":"c1","arguments":{},"result":{"a": [1, null]}}"#
        #expect(peer.send(type: "llm-function-call-result", data: object).inputs == [.toolResult(call: "c1", content: #"{"a": [1, null]}"#)])
        #expect(peer.send(type: "client-message", id: "q", data: #"{"t":"transcript"}"#).inputs == [.request(id: "q", type: "transcript", json: "")])
        #expect(
            peer.send(type: "client-message", id: "q", data: #"{"t":"x","d":{"a": 1}}"#).inputs
                == [.request(id: "q", type: "x", json: #"{"a": 1}"#)])
    }

    @Test(arguments: Framing.allCases) func audioInJSONIsAudio(_ framing: Framing) {
        var peer = RTVIPeer(framing)
        let one = peer.send(type: "raw-audio", id: nil, data: #"{"base64Audio":"AQD//w==","sampleRate":8000,"numChannels":2}"#)
        #expect(one.audio.map(\.bytes) == [[1, 0, 255, 255]])
        #expect(one.audio.first?.rate == 8_000)
        #expect(one.audio.first?.channels == 2)
        let batch = peer.send(type: "raw-audio-batch", data: #"{"base64AudioBatch":["AQA=","AgA="],"sampleRate":16000,"numChannels":1}"#)
        #expect(batch.audio.map(\.bytes) == [[1, 0], [2, 0]])
    }

    // MARK: What is refused

    @Test(
        arguments: Framing.allCases,
        [
            ("send-file", #"{"content":"look","file":{"format":"image/png","source":{"type":"bytes","bytes":"AA=="}}}"#, "takes no files"),
            ("ui-event", #"{"event":"click"}"#, "user interface"),
            ("ui-snapshot", #"{"tree":{}}"#, "user interface"),
            ("ui-cancel-job-group", #"{"job_id":"j"}"#, "user interface"),
            ("append-to-context", #"{"role":"user","content":"x"}"#, "Unsupported type append-to-context"),
            ("llm-function-call", "{}", "Unsupported type llm-function-call"),
            ("", "{}", "Unsupported type "),
            ("send-text", "{}", "'content' must be a text"),
            ("send-text", #"{"content":5}"#, "'content' must be a text"),
            ("send-text", #"{"content":"x","options":{"audio_response":"no"}}"#, "'audio_response' must be true or false"),
            ("dtmf", #"{"buttons":[]}"#, "'buttons' must be"),
            ("dtmf", #"{"buttons":"1"}"#, "'buttons' must be"),
            ("dtmf", #"{"buttons":[1]}"#, "'buttons' must be"),
            ("dtmf", #"{"buttons":["12"]}"#, "'buttons' must be"),
            ("dtmf", #"{"buttons":["A"]}"#, "'buttons' must be"),
            ("raw-audio", #"{"base64Audio":"AQA="}"#, "must be whole numbers"),
            ("raw-audio", #"{"base64Audio":"AQA=","sampleRate":"16000","numChannels":1}"#, "must be whole numbers"),
            ("raw-audio", #"{"base64Audio":"%%%%","sampleRate":16000,"numChannels":1}"#, "not base64"),
            ("raw-audio", #"{"base64Audio":5,"sampleRate":16000,"numChannels":1}"#, "must have audio as text"),
            ("raw-audio", #"{"sampleRate":16000,"numChannels":1}"#, "must have audio as text"),
            ("raw-audio-batch", #"{"base64AudioBatch":[7],"sampleRate":16000,"numChannels":1}"#, "must have audio as text"),
            ("llm-function-call-result", "{}", "'tool_call_id' must be a text"),
            ("llm-function-call-result", #"{"tool_call_id":"c"}"#, "'result' is missing"),
            ("client-message", "{}", "'t' must be a text"),
            ("client-message", #"{"t":1}"#, "'t' must be a text"),
        ])
    func whatCannotBeDoneIsAnsweredWithItsID(_ framing: Framing, _ message: (type: String, data: String, reason: String)) {
        var peer = RTVIPeer(framing)
        let meanings = peer.send(type: message.type, data: message.data)
        #expect(meanings.inputs.isEmpty)
        #expect(meanings.audio.isEmpty)
        #expect(meanings.violations.isEmpty)
        #expect(meanings.answers.map(\.type) == ["error-response"])
        #expect(meanings.answers.first?.id == "7")
        #expect(meanings.error?.contains(message.reason) == true, "\(meanings.error ?? "")")
    }

    @Test(
        arguments: Framing.allCases,
        [
            "", "{", "[]", "7", "null", #""text""#, "{}", #"{"label":"other","type":"dtmf"}"#, #"{"label":"rtvi-ai"}"#, #"{"label":"rtvi-ai","type":7}"#,
            #"{"label":"rtvi-ai","type":"dtmf","id":7}"#, #"{"label":"rtvi-ai","type":"client-message","data":{"t":"state"}}"#,
            String(repeating: "[", count: 100_000),
        ])
    func whatIsNoMessageGetsAnErrorThatStandsAlone(_ framing: Framing, _ json: String) {
        var peer = RTVIPeer(framing)
        let meanings = peer.send(json)
        #expect(meanings.inputs.isEmpty && meanings.audio.isEmpty && meanings.violations.isEmpty)
        #expect(meanings.answers.map(\.type) == ["error"])
        #expect(meanings.answers.first?.data["fatal"] as? Bool == false)
        #expect((meanings.error?.count ?? 0) > 10)
    }

    @Test(arguments: Framing.allCases, ["[]", "\"text\"", "7", "true"])
    func dataThatIsNoObjectIsRefused(_ framing: Framing, _ data: String) {
        var peer = RTVIPeer(framing)
        #expect(peer.send(type: "send-text", data: data).error == "'data' must be an object")
    }

    @Test(arguments: Framing.allCases) func longTextsAndManyKeysAreRefused(_ framing: Framing) {
        var peer = RTVIPeer(framing)
        let long = String(repeating: "x", count: 33_000)
        #expect(peer.send(type: "send-text", data: #"{"content":"\#(long)"}"#).error?.contains("at most 32768") == true)
        let keys = Array(repeating: #""1""#, count: 65).joined(separator: ",")
        #expect(peer.send(type: "dtmf", data: #"{"buttons":[\#(keys)]}"#).error?.contains("1 to 64") == true)
    }

    @Test(arguments: Framing.allCases) func theEvaluationsMessagesAreOrdinaryOnesUnlessItIsSwitchedOn(_ framing: Framing) {
        var peer = RTVIPeer(framing)
        let context = #"{"t":"eval-context","d":{"messages":[{"role":"user","content":"x"}]}}"#
        #expect(
            peer.send(type: "client-message", id: "e", data: context).inputs
                == [.request(id: "e", type: "eval-context", json: #"{"messages":[{"role":"user","content":"x"}]}"#)])
    }

    @Test(arguments: Framing.allCases) func garbageNeverTraps(_ framing: Framing) {
        var peer = RTVIPeer(framing)
        let seeds = [
            #"{"label":"rtvi-ai","type":"raw-audio","id":"1","data":{"base64Audio":"AQD//w==","sampleRate":16000,"numChannels":1}}"#,
            #"{"label":"rtvi-ai","type":"send-text","id":"1","data":{"content":"\u00e9","options":{"run_immediately":true}}}"#,
        ]
        var state: UInt64 = 11
        for round in 0..<4_000 {
            var bytes = Array(seeds[round % seeds.count].utf8)
            for _ in 0..<3 {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                bytes[Int(state >> 33) % bytes.count] = UInt8(truncatingIfNeeded: state >> 20)
            }
            _ = peer.receive(ByteBuffer(bytes: bytes), isText: framing == .json)
        }
    }
}

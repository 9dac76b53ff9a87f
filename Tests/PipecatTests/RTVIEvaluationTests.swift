import BackendKit
import Foundation
import Logging
import NIOCore
import PipecatBackend
import Testing

/// The hook for `pipecat eval`.
@Suite struct RTVIEvaluationTests {
    private func send(_ peer: inout RTVIPeer, _ type: String, _ argument: String) -> Meanings {
        peer.send(type: "client-message", id: type, data: #"{"t":"\#(type)","d":\#(argument)}"#)
    }

    @Test func aConnectionMayBeSilentAndItsAudioIsHandedBack() throws {
        var peer = RTVIPeer(.json, version: nil, evaluates: true)
        let flags = #"{"skip_tts":true,"capture_bot_audio":true,"capture_bot_images":false}"#
        #expect(send(&peer, "eval-connect", flags).inputs == [.audioOutput(false)])
        #expect(peer.audio([1]) == #"{"label":"rtvi-ai","type":"eval-bot-audio","data":{"audio":"AQA=","sampleRate":16000}}"#)
        #expect(send(&peer, "eval-connect", "{}").inputs == [.audioOutput(true)])
    }

    @Test func reportsSayAsMuchAsIsAskedFor() throws {
        var peer = RTVIPeer(.json, evaluates: true)
        let configuration = #"{"function_call_report_level":{"*":"full","hidden":"disabled"},"vad_user_speaking":true}"#
        let configured = send(&peer, "eval-configure", configuration)
        #expect(configured.isEmpty && configured.records == 1)
        let begins: [RTVIMessage] = try peer.told(.toolStarted(name: "f", call: "c", arguments: #"{"a":1}"#))
        #expect(begins.last?.data["arguments"] as? [String: Int] == ["a": 1])
        let ends: [RTVIMessage] = try peer.told(.toolEnded(name: "f", call: "c", cancelled: false, result: "plain"))
        #expect(ends.first?.data["result"] as? String == "plain")
        let hidden: [RTVIMessage] = try peer.told(.toolStarted(name: "hidden", call: "c", arguments: "{}"))
        #expect(hidden.isEmpty)
        let voice: [RTVIMessage] = try peer.told(.userStartedSpeaking)
        #expect(voice.map(\.type) == ["vad-user-started-speaking", "user-started-speaking"])
        #expect(send(&peer, "eval-configure", #"{"function_call_report_level":{"*":"loud"}}"#).error?.contains("one of disabled, none") == true)
        #expect(send(&peer, "eval-configure", #"{"llm_markers":true}"#).error?.contains("markers") == true)
        let long = String(repeating: "f", count: 129)
        #expect(send(&peer, "eval-configure", #"{"function_call_report_level":{"\#(long)":"full"}}"#).error?.contains("of 128 bytes") == true)
    }

    @Test func whatIsRefusedChangesNothing() throws {
        var peer = RTVIPeer(.json, evaluates: true)
        let before = peer.codec.record
        let refused = send(&peer, "eval-configure", #"{"function_call_report_level":{"*":"full"},"vad_user_speaking":true,"llm_markers":true}"#)
        #expect(refused.error != nil && refused.records == 0)
        #expect(peer.codec.record == before)
    }

    @Test func anotherWorkerGoesOnAsTheHarnessWanted() throws {
        var peer = RTVIPeer(.json, version: "1.2.0", evaluates: true)
        _ = send(&peer, "eval-connect", #"{"capture_bot_audio":true}"#)
        _ = send(&peer, "eval-configure", #"{"function_call_report_level":{"*":"name","f":"full"},"vad_user_speaking":true}"#)
        let record = peer.codec.record
        #expect(record.protocolName == "rtvi/1+json")
        var next = peer
        next.codec = RTVICodec(handshake: record.handshake, evaluates: true)
        #expect(next.codec.record == record)
        #expect(next.audio([1]).contains("eval-bot-audio"))
        let voice: [RTVIMessage] = try next.told(.userStartedSpeaking)
        #expect(voice.map(\.type) == ["vad-user-started-speaking", "user-started-speaking"])
        let ends: [RTVIMessage] = try next.told(.toolEnded(name: "f", call: "c", cancelled: false, result: "plain"))
        #expect(ends.first?.data["result"] as? String == "plain")
    }

    @Test func aWorkerWithoutTheHookGoesOnAsWithAnyClient() throws {
        var peer = RTVIPeer(.json, evaluates: true)
        _ = send(&peer, "eval-connect", #"{"capture_bot_audio":true}"#)
        _ = send(&peer, "eval-configure", #"{"function_call_report_level":{"*":"full"}}"#)
        peer.codec = RTVICodec(handshake: peer.codec.record.handshake)
        #expect(peer.codec.record == ClientRecord(protocolName: "rtvi/2+json", handshake: Array("rtvi=2.2.0".utf8)))
        #expect(peer.audio([1]).contains("bot-tts-audio"))
        let ends: [RTVIMessage] = try peer.told(.toolEnded(name: "f", call: "c", cancelled: false, result: "plain"))
        #expect(ends.first?.data["result"] == nil && ends.first?.data["function_name"] == nil)
    }

    @Test func aContextIsWhatWasSaidBefore() {
        var peer = RTVIPeer(.json, evaluates: true)
        let messages = #"{"messages":[{"role":"user","content":"I am Ann."},{"role":"assistant","content":"Hello Ann."}]}"#
        #expect(
            send(&peer, "eval-context", messages).inputs
                == [.history([HistoryMessage(isAgent: false, text: "I am Ann."), HistoryMessage(isAgent: true, text: "Hello Ann.")])])
        #expect(send(&peer, "eval-context", #"{"messages":[{"role":"system","content":"x"}]}"#).error?.contains("role user or assistant") == true)
        #expect(send(&peer, "eval-context", #"{"messages":7}"#).error?.contains("must be at most") == true)
    }

    @Test func theHarnessEndsTheSessionAndOtherMessagesGoTheirWay() {
        var peer = RTVIPeer(.json, evaluates: true)
        #expect(send(&peer, "eval-cancel", "{}").inputs == [.hangUp])
        #expect(send(&peer, "eval-image", "{}").error?.contains("takes no images") == true)
        #expect(send(&peer, "state", "{}").inputs == [.request(id: "state", type: "state", json: "{}")])
    }

    @Test func theOperatorSwitchesItOn() throws {
        let backend = RTVIBackend()
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        for (value, isOn) in [(nil, false), ("true", true)] as [(String?, Bool)] {
            let settings = try BackendSettings(of: backend) { $0 == "PARLEY_RTVI_EVAL" ? value : nil }
            guard case .relayed(let media) = backend.makeMedia(settings, logger: logger) else {
                Issue.record("not relayed")
                return
            }
            var peer = RTVIPeer(.json, version: nil)
            peer.codec = media.makeCodec(handshake: [])
            #expect(send(&peer, "eval-connect", "{}").inputs == [isOn ? .audioOutput(true) : .request(id: "eval-connect", type: "eval-connect", json: "{}")])
        }
    }
}

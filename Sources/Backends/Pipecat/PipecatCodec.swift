package import BackendKit
import Foundation
package import NIOCore

/// Pipecat's protobuf frames, with RTVI messages in them.
package struct PipecatCodec: ClientCodec {
    /// 16 kHz is what the agent has inside; the rate travels with each frame and the client resamples.
    package static let sampleRate: UInt32 = 16_000

    private var frameID: UInt64 = 0
    /// Id of the `client-ready` that is still to be answered.
    private var readyID: String?
    /// Major version of the client's RTVI; nil = the client speaks raw frames only.
    package private(set) var clientVersion: Int?

    /// `handshake`: what `record` said of the client; empty for a new one.
    package init(handshake: [UInt8] = []) {
        let text = String(decoding: handshake, as: UTF8.self)
        if text.hasPrefix("rtvi=") { clientVersion = Int(text.dropFirst(5)) }
    }

    package var record: ClientRecord {
        ClientRecord(
            protocolName: clientVersion.map { "rtvi/\($0)+protobuf" } ?? "pipecat/protobuf",
            handshake: Array((clientVersion.map { "rtvi=\($0)" } ?? "raw").utf8))
    }

    // MARK: In

    package mutating func decode(_ message: ByteBuffer, isText: Bool, _ take: (ClientMessage) -> Void) {
        if let meaning = decode(message, isText: isText) { take(meaning) }
    }

    private mutating func decode(_ message: ByteBuffer, isText: Bool) -> ClientMessage? {
        guard !isText else {
            return .violation("text message: this endpoint takes Pipecat protobuf frames as binary messages")
        }
        do {
            switch try PipecatFrame.decode(message) {
            case .audio(let bytes, let rate, let channels):
                return .audio(bytes, sampleRate: Int(rate), channels: Int(channels))
            case .text(let text): return .input(.text(text, interrupts: true, speak: true))
            case .message(let json): return decodeRTVI(Data(json.readableBytesView))
            case .transcription, .interruption, .unknown: return nil
            }
        } catch {
            return .violation("\(error)")
        }
    }

    private mutating func decodeRTVI(_ json: Data) -> ClientMessage? {
        let message: RTVIMessage
        do {
            message = try RTVIMessage.decode(json)
        } catch {
            return .answer(Self.wire(Self.errorResponse(id: error.id, error.description)))
        }
        switch message.type {
        case "client-ready": return ready(message)
        case "disconnect-bot": return .input(.hangUp)
        case "send-text":
            guard let text = message.data["content"] as? String else { return reject(message, "send-text needs 'content'") }
            let options = message.data["options"] as? [String: Any] ?? [:]
            return .input(
                .text(
                    text, interrupts: options["run_immediately"] as? Bool ?? true,
                    speak: options["audio_response"] as? Bool ?? true))
        case "dtmf":
            let buttons = (message.data["buttons"] as? [Any] ?? []).map { "\($0)" }.joined()
            guard !buttons.isEmpty else { return reject(message, "dtmf needs 'buttons'") }
            return .input(.dtmf(buttons))
        case "llm-function-call-result":
            guard let call = message.data["tool_call_id"] as? String else { return reject(message, "needs 'tool_call_id'") }
            return .input(.toolResult(call: call, content: "\(message.data["result"] ?? "")"))
        default: return reject(message, "Unsupported type \(message.type)")
        }
    }

    private mutating func ready(_ message: RTVIMessage) -> ClientMessage {
        let version = message.data["version"] as? String ?? "0.0.0"
        let major = Int(version.split(separator: ".").first ?? "") ?? 0
        readyID = message.id
        clientVersion = major
        return .input(.ready)
    }

    private func reject(_ message: RTVIMessage, _ reason: String) -> ClientMessage {
        .answer(Self.wire(Self.errorResponse(id: message.id, reason)))
    }

    // MARK: Out

    /// An audio frame of 16 kHz mono samples.
    package mutating func encode(_ samples: Span<Int16>, into out: inout ByteBuffer) {
        frameID += 1
        PipecatFrame.encodeAudio(samples, sampleRate: Self.sampleRate, id: frameID, into: &out)
    }

    package var audioOverhead: Int { PipecatFrame.audioOverhead }

    package mutating func interruption() -> WireMessage? {
        var out = ByteBuffer()
        PipecatFrame.encodeInterruption(into: &out)
        return WireMessage(out, isText: false)
    }

    /// The messages for a notice, in order; a client that does not speak RTVI is told only why its call ends.
    package mutating func encode(_ notice: ClientNotice) -> [WireMessage] {
        guard clientVersion != nil else {
            if case .error(let message, fatal: true) = notice { return [Self.fatal(message)] }
            return []
        }
        return RTVIEncoder.messages(for: notice, readyID: takeReadyID(notice)).map(Self.wire)
    }

    private mutating func takeReadyID(_ notice: ClientNotice) -> String? {
        guard case .ready = notice else { return nil }
        defer { readyID = nil }
        return readyID
    }

    /// An error for a client that has not been understood yet, whatever it speaks.
    package static func fatal(_ text: String) -> WireMessage {
        wire(RTVIMessage(type: "error", data: ["error": text, "fatal": true]))
    }

    /// A caller that waits for a worker is told its place in the line, from 1.
    package static func waiting(position: Int) -> WireMessage {
        wire(RTVIMessage(type: "server-message", data: ["t": "parley-queue", "d": ["position": position]]))
    }

    private static func errorResponse(id: String?, _ text: String) -> RTVIMessage {
        RTVIMessage(type: "error-response", id: id, data: ["error": text])
    }

    private static func wire(_ message: RTVIMessage) -> WireMessage {
        var out = ByteBuffer()
        PipecatFrame.encodeMessage(message.encode(), into: &out)
        return WireMessage(out, isText: false)
    }
}

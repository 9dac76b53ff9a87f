import BackendKit
import Foundation
import NIOCore
import PipecatBackend

/// What a codec made of a message, as tests look at it.
struct Meanings {
    var audio: [(bytes: [UInt8], rate: Int, channels: Int)] = []
    var inputs: [ClientInput] = []
    var answers: [RTVIMessage] = []
    var violations: [String] = []
    /// How often the record is to be logged again.
    var records = 0

    var isEmpty: Bool { audio.isEmpty && inputs.isEmpty && answers.isEmpty && violations.isEmpty }
    var error: String? { answers.first?.data["error"] as? String }
}

/// How RTVI travels.
enum Framing: CaseIterable {
    case protobuf, json

    func makeCodec(evaluates: Bool = false, handshake: [UInt8] = []) -> any ClientCodec {
        self == .protobuf ? PipecatCodec(handshake: handshake) : RTVICodec(handshake: handshake, evaluates: evaluates)
    }

    func frame(_ json: String) -> (ByteBuffer, isText: Bool) {
        guard self == .protobuf else { return (ByteBuffer(string: json), true) }
        var out = ByteBuffer()
        PipecatFrame.encodeMessage(ByteBuffer(string: json), into: &out)
        return (out, false)
    }

    /// The JSON text of a message.
    func text(_ message: WireMessage) throws -> String {
        guard self == .protobuf else { return String(buffer: message.bytes) }
        guard case .message(let json) = try PipecatFrame.decode(message.bytes) else { throw NotAMessage() }
        return String(buffer: json)
    }

    func read(_ message: WireMessage) throws -> RTVIMessage { try RTVIMessage.decode(Data(try text(message).utf8)) }

    struct NotAMessage: Error {}
}

/// A client and the codec that serves it.
struct RTVIPeer {
    let framing: Framing
    var codec: any ClientCodec

    /// `version`: of the client, which has shaken hands; nil: it has not.
    init(_ framing: Framing, version: String? = "2.2.0", evaluates: Bool = false) {
        self.framing = framing
        codec = framing.makeCodec(evaluates: evaluates)
        if let version {
            _ = send(type: "client-ready", data: #"{"version":"\#(version)","about":{"library":"test"}}"#)
            _ = codec.encode(.ready)
        }
    }

    mutating func send(type: String, id: String? = "7", data: String? = nil) -> Meanings {
        let id = id.map { #","id":"\#($0)""# } ?? ""
        let data = data.map { #","data":\#($0)"# } ?? ""
        return send(#"{"label":"rtvi-ai","type":"\#(type)"\#(id)\#(data)}"#)
    }

    mutating func send(_ json: String) -> Meanings {
        let (bytes, isText) = framing.frame(json)
        return receive(bytes, isText: isText)
    }

    mutating func receive(_ bytes: ByteBuffer, isText: Bool) -> Meanings {
        var meanings = Meanings()
        let framing = framing
        codec.decode(bytes, isText: isText) { meaning in
            switch meaning {
            case .audio(let bytes, let rate, let channels): meanings.audio.append((Array(bytes.readableBytesView), rate, channels))
            case .input(let input): meanings.inputs.append(input)
            case .answer(let answer): if let message = try? framing.read(answer) { meanings.answers.append(message) }
            case .recordChanged: meanings.records += 1
            case .violation(let reason): meanings.violations.append(reason)
            }
        }
        return meanings
    }

    mutating func told(_ notice: ClientNotice) throws -> [RTVIMessage] {
        let framing = framing
        return try codec.encode(notice).map { try framing.read($0) }
    }

    mutating func told(_ notice: ClientNotice) throws -> String {
        let framing = framing
        return try codec.encode(notice).map { try framing.text($0) }.joined(separator: "\n")
    }

    /// The message with the agent's next samples.
    mutating func audio(_ samples: [Int16]) -> String {
        var out = ByteBuffer()
        codec.encode(samples.span, into: &out)
        return String(buffer: out)
    }
}

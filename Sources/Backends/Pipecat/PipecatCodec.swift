package import BackendKit
package import NIOCore

/// Pipecat's protobuf frames, with RTVI messages in them.
package struct PipecatCodec: ClientCodec {
    /// 16 kHz is what the agent has inside; the rate travels with each frame and the client resamples.
    package static let sampleRate: UInt32 = 16_000

    private var frameID: UInt64 = 0
    private var rtvi: RTVIConversation

    /// `handshake`: what `record` said of the client; empty for a new one.
    package init(handshake: [UInt8] = []) {
        rtvi = RTVIConversation(handshake: handshake)
    }

    /// Major version of the client's RTVI; nil = the client speaks raw frames only.
    package var clientVersion: Int? { rtvi.version?.major }

    package var record: ClientRecord {
        ClientRecord(protocolName: clientVersion.map { "rtvi/\($0)+protobuf" } ?? "pipecat/protobuf", handshake: rtvi.handshake)
    }

    // MARK: In

    package mutating func decode(_ message: ByteBuffer, isText: Bool, _ take: (ClientMessage) -> Void) {
        guard !isText else {
            return take(.violation("text message: this endpoint takes Pipecat protobuf frames as binary messages"))
        }
        do throws(PipecatFrameError) {
            switch try PipecatFrame.decode(message) {
            case .audio(let bytes, let rate, let channels): take(.audio(bytes, sampleRate: Int(rate), channels: Int(channels)))
            case .text(let text): take(.input(.text(text, interrupts: true, speak: true)))
            case .message(let json): rtvi.decode(json, wrap: Self.wire, take)
            case .transcription, .interruption, .unknown: break
            }
        } catch {
            take(.violation("\(error)"))
        }
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
        guard rtvi.version != nil else {
            if case .error(let message, fatal: true) = notice { return [Self.fatal(message)] }
            return []
        }
        return rtvi.encode(notice).map(Self.wire)
    }

    /// An error for a client that has not been understood yet, whatever it speaks.
    package static func fatal(_ text: String) -> WireMessage { wire(RTVIConversation.fatal(text)) }

    /// A caller that waits for a worker is told its place in the line, from 1.
    package static func waiting(position: Int) -> WireMessage { wire(RTVIConversation.waiting(position: position)) }

    private static func wire(_ message: RTVIMessage) -> WireMessage {
        var out = ByteBuffer()
        PipecatFrame.encodeMessage(message.encode(), into: &out)
        return WireMessage(out, isText: false)
    }
}

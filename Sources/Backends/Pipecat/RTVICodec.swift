package import BackendKit
package import NIOCore
import WireCoding

/// RTVI as JSON text, the agent's audio included.
package struct RTVICodec: ClientCodec {
    private var rtvi: RTVIConversation
    /// The client may have audio that it has not played.
    private var isHeard = false
    /// It was told of the interruption when it had to drop that audio; nothing of the agent has come since.
    private var hasToldInterruption = false

    /// `handshake`: what `record` said of the client; empty for a new one. `evaluates`: `pipecat eval` may drive the session.
    package init(handshake: [UInt8] = [], evaluates: Bool = false) {
        rtvi = RTVIConversation(handshake: handshake, evaluates: evaluates)
    }

    package var record: ClientRecord {
        ClientRecord(protocolName: "rtvi/\(rtvi.version?.major ?? 0)+json", handshake: rtvi.handshake)
    }

    package mutating func decode(_ message: ByteBuffer, isText: Bool, _ take: (ClientMessage) -> Void) {
        rtvi.decode(message, wrap: Self.wire, take)
    }

    // MARK: Audio

    package let audioIsText = true
    /// The envelope, and a third of the bytes of 20 ms.
    package let audioOverhead = 384

    /// `bot-tts-audio`, or what a harness calls it that listens for itself.
    package mutating func encode(_ samples: Span<Int16>, into out: inout ByteBuffer) {
        isHeard = true
        hasToldInterruption = false
        let isCaptured = rtvi.evaluation?.capturesAudio ?? false
        out.writeStaticString(
            isCaptured
                ? #"{"label":"rtvi-ai","type":"eval-bot-audio","data":{"audio":""# : #"{"label":"rtvi-ai","type":"bot-tts-audio","data":{"audio":""#)
        Self.write(samples, into: &out)
        out.writeStaticString(isCaptured ? #"","sampleRate":16000}}"# : #"","sample_rate":16000,"num_channels":1}}"#)
    }

    private static func write(_ samples: Span<Int16>, into out: inout ByteBuffer) {
        #if _endian(little)
            Base64.encode(samples.bytes, into: &out)
        #else
            var bytes = ByteBuffer()
            bytes.writeLittleEndian(samples)
            Base64.encode(bytes.readableBytesSpan, into: &out)
        #endif
    }

    // MARK: Messages

    /// RTVI has no other message than `bot-interrupted` by which clients drop what they have not played.
    package let dropsQuietly = false

    package mutating func interruption() -> WireMessage? {
        guard isHeard else { return nil }
        isHeard = false
        hasToldInterruption = true
        return Self.wire(RTVIMessage(type: "bot-interrupted"))
    }

    package mutating func encode(_ notice: ClientNotice) -> [WireMessage] {
        if case .interrupted = notice, hasToldInterruption {
            hasToldInterruption = false
            return []
        }
        return rtvi.encode(notice).map(Self.wire)
    }

    static func wire(_ message: RTVIMessage) -> WireMessage { WireMessage(message.encode(), isText: true) }
}

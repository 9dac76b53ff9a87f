import Audio
import BackendKit
import NIOCore
import RelayLink

/// The way out of a session whose caller's socket is held by a dispatcher: encodes for the client, writes to the relay link.
///
/// Unchecked because it is confined to the link's event loop, on which its session lives too; every entry is a session's or the
/// link handler's, both on that loop.
final class RelayedPort: MediaPort, @unchecked Sendable {
    private let link: RelayServerLink
    private let fence: UInt64
    private var codec: any ClientCodec
    private(set) var handled: UInt64 = 0
    private var released: UInt64 = 0
    private var dirty = false
    /// What the message in hand means; kept for its room.
    private var meanings: [ClientMessage] = []
    private var sentSamples: UInt64 = 0
    private var takenSamples: UInt64 = 0
    /// What the client was told last about the end of its call: the close frame says the same.
    private var fatalMessage: String?

    init(link: RelayServerLink, fence: UInt64, codec: any ClientCodec) {
        self.link = link
        self.fence = fence
        self.codec = codec
    }

    let hasMarks = false
    var dropsQuietly: Bool { codec.dropsQuietly }
    var untaken: SessionTime { SessionTime(samples: Int64(sentSamples) - Int64(takenSamples)) }

    // MARK: In

    /// What a message of the caller means; answers of the codec are sent back here.
    func receive(_ number: UInt64, text: Bool, _ bytes: ByteBuffer, _ take: (ClientMessage) -> Void) {
        handled = max(handled, number)
        // The codec must be done with the message before anything is made of it: what follows makes it encode.
        codec.decode(bytes, isText: text) { meanings.append($0) }
        for meaning in meanings {
            if case .answer(let answer) = meaning { control(answer) } else { take(meaning) }
        }
        meanings.removeAll(keepingCapacity: true)
        flush()
    }

    func taken(_ samples: UInt64) { takenSamples = min(max(takenSamples, samples), sentSamples) }

    var client: ClientRecord { codec.record }

    // MARK: Out

    func play(_ samples: Span<Int16>, reply: ReplyNumber, firstSample: SessionTime) {
        var bytes = link.allocator.buffer(capacity: samples.count * 2 + codec.audioOverhead)
        codec.encode(samples, into: &bytes)
        link.write(
            .agent(fence: fence, reply: reply, firstSample: firstSample.samples, samples: UInt32(samples.count), text: codec.audioIsText,
                bytes: bytes))
        sentSamples += UInt64(samples.count)
        dirty = true
    }

    func clear(reply: ReplyNumber, heard: SessionTime) {
        link.write(.clear(fence: fence, reply: reply, sample: heard.samples))
        if let interruption = codec.interruption() { control(interruption) }
    }

    func notify(_ notice: ClientNotice) {
        if case .error(let message, fatal: true) = notice { fatalMessage = message }
        for message in codec.encode(notice) { control(message) }
    }

    func release(through number: UInt64) {
        guard number > released else { return }
        released = number
        link.write(.release(number: number))
        dirty = true
    }

    func handOver() {
        link.write(.handover(fence: fence))
        dirty = true
    }

    func end(_ reason: EndReason) {
        link.write(.end(code: reason.closeCode, reason: fatalMessage ?? reason.rawValue))
        dirty = true
    }

    func flush() {
        guard dirty else { return }
        dirty = false
        link.flush()
    }

    private func control(_ message: WireMessage) {
        link.write(.control(fence: fence, text: message.isText, bytes: message.bytes))
        dirty = true
    }
}

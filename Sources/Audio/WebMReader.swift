/// The packets of the first Opus track of a WebM file: as much of Matroska (RFC 9559) as recorders of browsers write, who write as they record,
/// so that nothing has a size beforehand.
struct WebMReader {
    /// The id of the head that every file begins with.
    static let magic: [UInt8] = [0x1A, 0x45, 0xDF, 0xA3]

    private enum ID {
        static let segment: UInt64 = 0x1853_8067
        static let tracks: UInt64 = 0x1654_AE6B
        static let trackEntry: UInt64 = 0xAE
        static let trackNumber: UInt64 = 0xD7
        static let codec: UInt64 = 0x86
        static let codecPrivate: UInt64 = 0x63A2
        static let contentEncodings: UInt64 = 0x6D80
        static let cluster: UInt64 = 0x1F43_B675
        static let simpleBlock: UInt64 = 0xA3
        static let blockGroup: UInt64 = 0xA0
        static let block: UInt64 = 0xA1
        /// What has elements inside that matter: read as if these stood in the file themselves.
        static let transparent: Set<UInt64> = [segment, tracks, trackEntry, cluster, blockGroup]
    }

    private struct Track {
        var number: UInt64 = 0
        var isOpus = false
        var isEncoded = false
        var head: Range<Int>?
    }

    private let file: [UInt8]
    private var position = 0
    private var entry = Track()
    /// The track that is read.
    private var track: Track?
    private var packets: [Range<Int>] = []

    static func read(_ file: [UInt8]) throws(AudioError) -> OpusRecording {
        var reader = WebMReader(file)
        while reader.packets.count < OpusRecording.mostPackets, try reader.readElement() {}
        reader.finishEntry()
        guard let track = reader.track, let head = track.head else { throw AudioError(.unsupportedEncoding, "WebM: there is no Opus track in it") }
        guard !track.isEncoded else { throw AudioError(.unsupportedEncoding, "WebM: the track is compressed or encrypted") }
        return OpusRecording(bytes: file, packets: reader.packets, head: try OpusHead(file[head]))
    }

    private init(_ file: [UInt8]) { self.file = file }

    /// False at the end, which may be in the middle of an element.
    private mutating func readElement() throws(AudioError) -> Bool {
        guard let id = readNumber(longest: 4, keepsMarker: true), let size = readNumber(longest: 8) else { return false }
        if id == ID.trackEntry || id == ID.cluster { finishEntry() }
        guard !ID.transparent.contains(id) else { return true }
        guard size != Self.unknown else { throw AudioError(.malformed, "WebM: element \(String(id, radix: 16)) has no size") }
        guard size <= UInt64(file.count - position) else { return false }
        let body = position..<position + Int(size)
        position = body.upperBound
        try take(id, body)
        return true
    }

    /// A size that is not known yet.
    private static let unknown = UInt64.max

    /// A number whose first byte says how long it is; nil where there is none. Ids keep the bit that says so.
    private mutating func readNumber(longest: Int, keepsMarker: Bool = false) -> UInt64? {
        guard position < file.count else { return nil }
        let first = file[position]
        let length = first.leadingZeroBitCount + 1
        guard length <= longest, file.count - position >= length else { return nil }
        let bits = file[position..<position + length].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        position += length
        if keepsMarker { return bits }
        let ones = UInt64(1) << UInt64(7 * length) - 1
        return bits & ones == ones ? Self.unknown : bits & ones
    }

    /// The first Opus track is the one.
    private mutating func finishEntry() {
        if track == nil, entry.isOpus { track = entry }
        entry = Track()
    }

    private mutating func take(_ id: UInt64, _ body: Range<Int>) throws(AudioError) {
        switch id {
        case ID.trackNumber: entry.number = file[body].suffix(8).reduce(0) { $0 << 8 | UInt64($1) }
        case ID.codec: entry.isOpus = file[body].elementsEqual("A_OPUS".utf8)
        case ID.codecPrivate: entry.head = body
        case ID.contentEncodings: entry.isEncoded = true
        case ID.simpleBlock, ID.block: try takeBlock(body)
        default: break
        }
    }

    /// Track number, 16 bits of time, flags, one packet.
    private mutating func takeBlock(_ body: Range<Int>) throws(AudioError) {
        let end = position
        defer { position = end }
        position = body.lowerBound
        guard let number = readNumber(longest: 8), let track, number == track.number, end - position > 3 else { return }
        guard file[position + 2] & 0x06 == 0 else { throw AudioError(.unsupportedEncoding, "WebM: blocks with several packets are not read") }
        packets.append(position + 3..<end)
    }
}

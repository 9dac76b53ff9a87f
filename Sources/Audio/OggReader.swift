/// The packets of the first Opus stream of an Ogg file (RFC 3533, RFC 7845). Checksums are not looked at: files come over channels with their own.
struct OggReader {
    static let magic = Array("OggS".utf8)
    private static let pageHead = 27

    private let file: [UInt8]
    private var position = 0
    /// Of the stream that is read; nil until one begins.
    private var serial: ArraySlice<UInt8>?
    /// Packets one after the other, without what is between them in the file.
    private var bytes: [UInt8] = []
    /// Of `bytes`, head and tags included.
    private var packets: [Range<Int>] = []
    private var packetStart = 0

    static func read(_ file: [UInt8]) throws(AudioError) -> OpusRecording {
        var reader = OggReader(file)
        while reader.packets.count < OpusRecording.mostPackets, reader.readPage() {}
        guard let first = reader.packets.first else { throw AudioError(.unsupportedEncoding, "Ogg: there is no Opus in it") }
        let head = try OpusHead(reader.bytes[first])
        // The second packet has the tags.
        return OpusRecording(bytes: reader.bytes, packets: reader.packets.dropFirst(2).filter { !$0.isEmpty }, head: head)
    }

    private init(_ file: [UInt8]) { self.file = file }

    /// False at the end, or where there is no page.
    private mutating func readPage() -> Bool {
        guard file.count - position >= Self.pageHead, file[position...].starts(with: Self.magic), file[position + 4] == 0 else { return false }
        let table = position + Self.pageHead
        let body = table + Int(file[position + 26])
        guard body <= file.count else { return false }
        let isContinued = file[position + 5] & 1 != 0
        let owner = file[position + 14..<position + 18]
        let lengths = file[table..<body]
        position = body + lengths.reduce(0) { $0 + Int($1) }
        if serial == nil, file[body...].starts(with: OpusHead.magic) { serial = owner }
        if serial == owner { take(lengths, from: body, isContinued: isContinued) }
        return position < file.count
    }

    private mutating func take(_ lengths: ArraySlice<UInt8>, from body: Int, isContinued: Bool) {
        // A packet whose beginning or end is missing is left out.
        var isWhole = !isContinued || bytes.count > packetStart
        if !isContinued { bytes.removeSubrange(packetStart...) }
        var start = body
        for length in lengths {
            let end = start + Int(length)
            guard end <= file.count else { return }
            bytes += file[start..<end]
            start = end
            guard length < 255 else { continue }
            if isWhole { packets.append(packetStart..<bytes.count) }
            isWhole = true
            packetStart = bytes.count
        }
    }
}

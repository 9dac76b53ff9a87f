@testable import Audio

/// Files as browsers record them, written for tests.
enum OpusFiles {
    static let preSkip = 312

    /// Packets of 20 ms.
    static func packets(of samples: [Int16], rate: Int = 48_000) throws -> [[UInt8]] {
        var encoder = try OpusEncoder(sampleRate: rate, bitRate: 48_000)
        let frame = rate / 50
        return try stride(from: 0, to: samples.count / frame * frame, by: frame).map { start in
            var packet: [UInt8] = []
            try encoder.encode(samples.span.extracting(start..<start + frame), into: &packet)
            return packet
        }
    }

    static func head(preSkip: Int = preSkip, version: UInt8 = 1, family: UInt8 = 0) -> [UInt8] {
        Array("OpusHead".utf8) + [version, 1, UInt8(preSkip & 255), UInt8(preSkip >> 8), 0x80, 0xBB, 0, 0, 0, 0, family]
    }

    // MARK: WebM

    struct WebM {
        var codec = "A_OPUS"
        var head = OpusFiles.head()
        /// Segment and clusters have no size, as in recordings; else their size.
        var isLive = true
        var isGrouped = false
        var flags: UInt8 = 0x80
        var isEncoded = false
        /// A track before the one with Opus.
        var hasVideo = false

        func file(_ packets: [[UInt8]]) -> [UInt8] {
            var tracks: [UInt8] = []
            if hasVideo { tracks += element([0xAE], element([0xD7], [1]) + element([0x83], [1]) + element([0x86], Array("V_VP8".utf8))) }
            let number: UInt8 = hasVideo ? 2 : 1
            tracks += element(
                [0xAE],
                element([0xD7], [number]) + element([0x83], [2]) + element([0x86], Array(codec.utf8)) + element([0x63, 0xA2], head)
                    + (isEncoded ? element([0x6D, 0x80], [0]) : []))
            var clusters: [UInt8] = []
            for start in stride(from: 0, to: packets.count, by: 10) {
                var blocks = element([0xE7], [UInt8(start / 5)])
                for packet in packets[start..<min(start + 10, packets.count)] {
                    if hasVideo { blocks += element([0xA3], [0x81, 0, 0, 0x80, 1, 2, 3]) }
                    let block = [0x80 | number, 0, 0, flags] + packet
                    blocks += isGrouped ? element([0xA0], element([0xA1], block)) : element([0xA3], block)
                }
                clusters += master([0x1F, 0x43, 0xB6, 0x75], blocks)
            }
            return element([0x1A, 0x45, 0xDF, 0xA3], element([0x42, 0x82], Array("webm".utf8)))
                + master([0x18, 0x53, 0x80, 0x67], element([0x15, 0x49, 0xA9, 0x66], [0xEC, 0x80]) + element([0x16, 0x54, 0xAE, 0x6B], tracks) + clusters)
        }

        private func master(_ id: [UInt8], _ body: [UInt8]) -> [UInt8] {
            isLive ? id + [0x01, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF] + body : element(id, body)
        }

        private func element(_ id: [UInt8], _ body: [UInt8]) -> [UInt8] {
            body.count < 127
                ? id + [0x80 | UInt8(body.count)] + body
                : id + [0x10 | UInt8(body.count >> 24), UInt8(body.count >> 16 & 255), UInt8(body.count >> 8 & 255), UInt8(body.count & 255)] + body
        }
    }

    // MARK: Ogg

    /// - Parameter segments: lacing values on a page at most, so that packets go over pages
    static func ogg(_ packets: [[UInt8]], head: [UInt8] = head(), segments: Int = 255, serial: UInt8 = 7) -> [UInt8] {
        var pages: [(lacing: [UInt8], body: [UInt8], isContinued: Bool)] = []
        for (number, packet) in ([head, Array("OpusTags".utf8) + [0, 0, 0, 0, 0, 0, 0, 0]] + packets).enumerated() {
            var rest = packet[...]
            var isNew = true
            repeat {
                let part = rest.prefix(255)
                if number < 2 && isNew || number == 2 && isNew || (pages.last?.lacing.count ?? segments) >= segments { pages.append(([], [], !isNew)) }
                pages[pages.count - 1].lacing.append(UInt8(part.count))
                pages[pages.count - 1].body += part
                rest = rest.dropFirst(255)
                isNew = false
                if part.count == 255, rest.isEmpty {
                    if pages[pages.count - 1].lacing.count >= segments { pages.append(([], [], true)) }
                    pages[pages.count - 1].lacing.append(0)
                }
            } while !rest.isEmpty
        }
        return pages.enumerated().flatMap { index, page -> [UInt8] in
            let type: UInt8 = (page.isContinued ? 1 : 0) | (index == 0 ? 2 : 0)
            var bytes = Array("OggS".utf8) + [0, type]
            bytes += [UInt8](repeating: 0, count: 8)
            bytes += [serial, 0, 0, 0, UInt8(index & 255), 0, 0, 0, 0, 0, 0, 0, UInt8(page.lacing.count)]
            return bytes + page.lacing + page.body
        }
    }
}

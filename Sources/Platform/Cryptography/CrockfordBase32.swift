/// Douglas Crockford's base32: lower-case letters and digits without i, l, o and u, which people confuse.
package enum CrockfordBase32 {
    private static let alphabet = Array("0123456789abcdefghjkmnpqrstvwxyz".utf8)

    /// `bytes` as text, the most significant bits first, zero bits added at the end.
    package static func encode(_ bytes: some Collection<UInt8>) -> String {
        var text: [UInt8] = []
        var (bits, count): (UInt32, UInt32) = (0, 0)
        for byte in bytes {
            (bits, count) = (bits << 8 | UInt32(byte), count + 8)
            while count >= 5 {
                count -= 5
                text.append(alphabet[Int(bits >> count & 31)])
            }
        }
        if count > 0 { text.append(alphabet[Int(bits << (5 - count) & 31)]) }
        return String(decoding: text, as: UTF8.self)
    }

    /// The bytes that `text` stands for. Accepts what people write: either case, hyphens, o for 0, i and l for 1. Nil when it holds
    /// anything else.
    package static func decode(_ text: some StringProtocol) -> [UInt8]? {
        var bytes: [UInt8] = []
        var (bits, count): (UInt32, UInt32) = (0, 0)
        for character in text.utf8 where character != UInt8(ascii: "-") {
            guard let value = value(of: character) else { return nil }
            (bits, count) = (bits << 5 | UInt32(value), count + 5)
            if count >= 8 {
                count -= 8
                bytes.append(UInt8(bits >> count & 255))
            }
        }
        guard count < 5, bits & ((1 << count) - 1) == 0 else { return nil }
        return bytes
    }

    private static func value(of character: UInt8) -> Int? {
        switch character | 0x20 {
        case UInt8(ascii: "o"): 0
        case UInt8(ascii: "i"), UInt8(ascii: "l"): 1
        case let lower: alphabet.firstIndex(of: character < UInt8(ascii: "A") ? character : lower)
        }
    }
}

import Glibc
package import NIOCore

/// A block of network addresses, `10.0.0.0/8` or `fd00::/8`; one address without a length.
package struct AddressBlock: Sendable, Hashable {
    private let bytes: [UInt8]
    private let bits: Int

    /// Nil for what is no address, or a length that it cannot have.
    package init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count <= 2, let bytes = CallerAddress.bytes(of: String(parts[0])) else { return nil }
        let bits = parts.count == 2 ? Int(parts[1]) : bytes.count * 8
        guard let bits, (0...bytes.count * 8).contains(bits) else { return nil }
        self.bytes = bytes
        self.bits = bits
    }

    package func contains(_ address: String) -> Bool {
        guard let other = CallerAddress.bytes(of: address), other.count == bytes.count else { return false }
        let whole = bits / 8
        guard bytes[..<whole] == other[..<whole] else { return false }
        let rest = bits % 8
        return rest == 0 || (bytes[whole] ^ other[whole]) >> (8 - rest) == 0
    }
}

/// Whose address a caller's is.
package enum CallerAddress {
    /// The address that connected; behind proxies that are trusted, the last one in `X-Forwarded-For` that is none of them.
    package static func of(_ remote: SocketAddress?, forwarded: [String], trusted: [AddressBlock]) -> String {
        guard let socket = remote?.ipAddress else { return "unknown" }
        func isTrusted(_ address: String) -> Bool { trusted.contains { $0.contains(address) } }
        guard !trusted.isEmpty, isTrusted(socket) else { return socket }
        let hops = forwarded.flatMap { $0.split(separator: ",") }.map { $0.filter { !$0.isWhitespace } }
        // Each proxy appends whom it was called by. What is no address ends the part that can be believed.
        var nearest = socket
        for hop in hops.reversed() {
            guard bytes(of: hop) != nil else { break }
            nearest = hop
            if !isTrusted(hop) { break }
        }
        return nearest
    }

    /// Under what limits know an address: an IPv4 address itself, of IPv6 the /64 that one customer has.
    package static func subject(_ address: String) -> String {
        guard let bytes = bytes(of: address), bytes.count == 16 else { return address }
        let groups = stride(from: 0, to: 8, by: 2).map {
            String(UInt16(bytes[$0]) << 8 | UInt16(bytes[$0 + 1]), radix: 16)
        }
        return groups.joined(separator: ":") + "::/64"
    }

    /// 4 or 16 bytes; IPv4 addresses written as IPv6 ones are IPv4.
    static func bytes(of address: String) -> [UInt8]? {
        var four = in_addr()
        if inet_pton(AF_INET, address, &four) == 1 { return withUnsafeBytes(of: four) { Array($0) } }
        var six = in6_addr()
        guard inet_pton(AF_INET6, address, &six) == 1 else { return nil }
        let bytes = withUnsafeBytes(of: six) { Array($0) }
        let isMapped = bytes[..<10].allSatisfy { $0 == 0 } && bytes[10...11] == [255, 255]
        return isMapped ? Array(bytes[12...]) : bytes
    }
}

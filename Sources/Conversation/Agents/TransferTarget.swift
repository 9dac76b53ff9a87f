/// Somebody whom an agent may transfer its caller to.
package struct TransferTarget: Sendable, Hashable {
    /// A `tel:` or `sip:` URI.
    package var uri: String
    /// When to do that, for the language model.
    package var occasion: String

    package init(uri: String, occasion: String) {
        self.uri = uri
        self.occasion = occasion
    }

    private static let longestURI = 256
    private static let telephone = Set("0123456789+*#-.()")
    /// What would end a URI where it is written into a SIP header.
    private static let forbidden = Set(#"<>"\,"#)

    /// Whether it has the form of a URI that can be called: `tel:` with a number, `sip:` or `sips:` with a host.
    package static func isURI(_ text: String) -> Bool {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, text.utf8.count <= longestURI, text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }),
            !text.contains(where: forbidden.contains)
        else { return false }
        switch parts[0] {
        case "tel":
            let number = parts[1].prefix { $0 != ";" }
            return number.contains { $0.isNumber } && number.allSatisfy(telephone.contains)
        case "sip", "sips": return parts[1].split(separator: "@", omittingEmptySubsequences: false).allSatisfy { !$0.isEmpty }
        default: return false
        }
    }
}

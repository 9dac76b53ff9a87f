import Cryptography
import Testing

@Suite struct EncodingTests {
    // RFC 4648, section 10, without padding.
    @Test(arguments: [
        ("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foob", "Zm9vYg"), ("fooba", "Zm9vYmE"),
        ("foobar", "Zm9vYmFy"),
    ])
    func base64URLMatchesTheStandard(text: String, encoded: String) {
        #expect(Base64URL.encode(Array(text.utf8)) == encoded)
        #expect(Base64URL.decode(encoded) == Array(text.utf8))
    }

    @Test func base64URLUsesTheAlphabetForURLs() {
        #expect(Base64URL.encode([0xFB, 0xFF, 0xBF]) == "-_-_")
        #expect(Base64URL.decode("+/+/") == nil)
    }

    @Test(arguments: ["Zg==", "Z", "Zm9v!", "Zh", "Zm9", "Zg ", "ü"])
    func base64URLRefusesWhatItWouldNotWrite(text: String) {
        #expect(Base64URL.decode(text) == nil)
    }

    @Test func everyByteSurvivesEveryEncoding() {
        for length in 0..<40 {
            let bytes = (0..<length).map { UInt8(truncatingIfNeeded: $0 * 37 + length * 101) }
            #expect(Base64URL.decode(Base64URL.encode(bytes)) == bytes)
            #expect(CrockfordBase32.decode(CrockfordBase32.encode(bytes)) == bytes)
            #expect(Hex.decode(Hex.encode(bytes)) == bytes)
        }
    }

    @Test func crockfordReadsWhatPeopleWrite() {
        let written = CrockfordBase32.encode([0x00, 0x42, 0x10, 0xFF])
        #expect(written == "01111zr")
        #expect(CrockfordBase32.decode("oIL1-1Zr") == [0x00, 0x42, 0x10, 0xFF] as [UInt8]?)
        #expect(CrockfordBase32.decode("011u1zr") == nil)
        #expect(CrockfordBase32.decode("01 111zr") == nil)
    }

    @Test(arguments: ["0", "0g", "zz", "ü0"])
    func hexRefusesOtherText(text: String) {
        #expect(Hex.decode(text) == nil)
    }

    @Test func randomTokensDifferAndHaveTheirLength() throws {
        let tokens = try (0..<100).map { _ in try RandomBytes.token() }
        #expect(Set(tokens).count == 100)
        #expect(tokens.allSatisfy { $0.count == 43 })
        #expect(try RandomBytes.name().count == 26)
        #expect(try RandomBytes.generate(0) == [])
    }

    @Test func secretsAreNotPrinted() {
        let secret = Secret("hunter2")
        var dumped = ""
        dump([secret], to: &dumped)
        for text in ["\(secret)", "\([secret])", String(reflecting: secret), dumped] {
            #expect(text.contains("[secret]") && !text.contains("hunter2") && !text.contains("104"))
        }
        #expect(secret.revealed == "hunter2")
        #expect(secret == Secret("hunter2") && secret != Secret("hunter3"))
    }
}

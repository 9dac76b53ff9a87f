import Cryptography
import Testing

@Suite struct HashTests {
    // FIPS 180-4 examples.
    @Test(arguments: [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        ),
    ])
    func sha256MatchesTheStandard(text: String, digest: String) throws {
        #expect(try SHA256.hex(text) == digest)
        #expect(try SHA256.hash(text.utf8) == Hex.decode(digest))
    }

    // RFC 4231, test cases 1, 2 and 6.
    @Test(arguments: [
        (
            [UInt8](repeating: 0x0B, count: 20), "Hi There",
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        ),
        (
            Array("Jefe".utf8), "what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        ),
        (
            [UInt8](repeating: 0xAA, count: 131), "Test Using Larger Than Block-Size Key - Hash Key First",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        ),
    ])
    func hmacMatchesTheStandard(key: [UInt8], message: String, code: String) throws {
        #expect(Hex.encode(try HMACSHA256.authenticate(message.utf8, key: Secret(key))) == code)
        #expect(try HMACSHA256.isValid(Hex.decode(code) ?? [], for: message.utf8, key: Secret(key)))
        #expect(try !HMACSHA256.isValid(Hex.decode(code) ?? [], for: (message + "!").utf8, key: Secret(key)))
    }

    @Test func anEmptyKeyAndMessageHaveACode() throws {
        #expect(
            Hex.encode(try HMACSHA256.authenticate([], key: Secret("")))
                == "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad")
    }

    @Test func constantTimeComparisonComparesEverything() {
        #expect(constantTimeEqual([1, 2, 3], [1, 2, 3]))
        #expect(constantTimeEqual([], []))
        #expect(!constantTimeEqual([1, 2, 3], [1, 2, 4]))
        #expect(!constantTimeEqual([1, 2, 3], [1, 2]))
    }
}

import Cryptography
import Testing

@Suite struct SignedTicketTests {
    private let now: Int64 = 1_763_706_780_000
    private let statement = Array("eu.3.abc/7/relay".utf8)

    private func key(_ id: String, _ letter: Character = "a") throws -> KeyRing.Key {
        try KeyRing.Key(id: id, secret: Secret(String(repeating: letter, count: 32)))
    }

    private func issue(_ keys: KeyRing) throws -> String {
        try SignedTicket.issue(statement, lifetime: .seconds(30), keys: keys, now: now)
    }

    @Test func aTicketCarriesItsStatementUntilItExpires() throws {
        let keys = KeyRing(current: try key("2025-11"))
        let text = try issue(keys)
        let ticket = try SignedTicket.verify(text, keys: keys, now: now + 29_999)
        #expect(ticket.statement == statement)
        #expect(ticket.expiry == now + 30_000)
        #expect(ticket.keyID == "2025-11")
        #expect(throws: SignedTicket.Refusal.expired(at: now + 30_000)) {
            try SignedTicket.verify(text, keys: keys, now: now + 30_000)
        }
    }

    @Test func anOldKeyIsAcceptedWhileItIsInTheRing() throws {
        let (old, new) = (try key("old"), try key("new", "b"))
        let text = try issue(KeyRing(current: old))
        let rotated = KeyRing(current: new, others: [old])
        #expect(try SignedTicket.verify(text, keys: rotated, now: now).keyID == "old")
        #expect(try SignedTicket.verify(issue(rotated), keys: rotated, now: now).keyID == "new")
        #expect(throws: SignedTicket.Refusal.unknownKey("old")) {
            try SignedTicket.verify(text, keys: KeyRing(current: new), now: now)
        }
    }

    @Test func everyChangedCharacterIsNoticed() throws {
        let keys = KeyRing(current: try key("k"))
        let text = Array(try issue(keys))
        for index in text.indices {
            var changed = text
            changed[index] = changed[index] == "A" ? "B" : "A"
            #expect(throws: SignedTicket.Refusal.self, "at \(index)") {
                try SignedTicket.verify(String(changed), keys: keys, now: now)
            }
        }
    }

    @Test func aSignatureOfAnotherKeyOfTheSameNameIsRefused() throws {
        let text = try issue(KeyRing(current: try key("k", "a")))
        #expect(throws: SignedTicket.Refusal.badSignature) {
            try SignedTicket.verify(text, keys: KeyRing(current: try key("k", "b")), now: now)
        }
    }

    @Test(arguments: ["", ".", "a.b.c", "AQ.AQ", "Zm9v", "ü.ü", "AQFr.", String(repeating: "A", count: 5000)])
    func whatIsNoTicketIsMalformed(text: String) throws {
        let keys = KeyRing(current: try key("k"))
        #expect(throws: SignedTicket.Refusal.malformed) { try SignedTicket.verify(text, keys: keys, now: now) }
    }

    @Test func ringsAreReadFromConfiguration() throws {
        let (first, second) = (String(repeating: "x", count: 32), String(repeating: "y:z", count: 8))
        let ring = try KeyRing(parsing: Secret(" new:\(first), old:\(second) "))
        #expect(ring.current.id == "new")
        #expect(ring.key("old")?.secret == Secret(second))
        #expect(ring.key("none") == nil)
        #expect(try KeyRing(parsing: Secret(first)).current.id == "k1")
    }

    @Test(arguments: ["", " ", "short", "a:short", "bad id:0123456789abcdef", ":0123456789abcdef"])
    func weakKeysAreRefusedWithoutPrintingThem(text: String) {
        let error = #expect(throws: CryptographyError.self) { try KeyRing(parsing: Secret(text)) }
        #expect(error?.code == .weakKey)
        #expect(error?.message.contains("0123456789abcdef") == false)
    }
}

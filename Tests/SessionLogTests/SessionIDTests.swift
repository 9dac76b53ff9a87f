import SessionLog
import Testing

struct SessionIDTests {
    /// 2026-11-21 06:43 UTC.
    private let opened: Int64 = 1_795_243_380

    @Test func `an id says its region, partition and opening date`() throws {
        let id = try SessionID(region: "eu1", partition: 7, openedAt: opened)
        #expect(id.description.hasPrefix("eu1-07-20261121-"))
        let parsed = try SessionID(id.description)
        #expect(parsed == id)
        #expect(parsed.region == "eu1")
        #expect(parsed.partition == 7)
        #expect(parsed.openingDate.iso == "2026-11-21")
    }

    @Test func `ids opened at the same moment differ`() throws {
        let ids = try (0..<1000).map { _ in try SessionID(region: "eu1", partition: 7, openedAt: opened) }
        #expect(Set(ids).count == 1000)
    }

    @Test(arguments: [
        "", "eu1", "eu1-07-20261121", "eu1-07-20261121-", "eu1-7-20261121-0123456789abcdefghjkmnpqrs",
        "EU1-07-20261121-0123456789abcdefghjkmnpqrs", "eu1-07-20261321-0123456789abcdefghjkmnpqrs",
        "eu1-07-20260230-0123456789abcdefghjkmnpqrs", "eu1-07-20261121-0123456789abcdefghjkmnpqr",
        "eu1-07-20261121-0123456789abcdefghjkmnpqrU", "eu1-07-20261121-0123456789abcdefghjkmnpqrs-x",
        "eu1-07-20261121-0123456789abcdefghj:mnpqrs", "-07-20261121-0123456789abcdefghjkmnpqrs",
        "eu1-+7-20261121-0123456789abcdefghjkmnpqrs", String(repeating: "a", count: 10_000),
    ])
    func `what is no id is refused with its own error`(text: String) {
        let error = #expect(throws: SessionLogError.self) { try SessionID(text) }
        #expect(error?.code == .invalidSessionID)
    }

    @Test func `a region or partition that cannot be in an id is refused`() {
        #expect(throws: SessionLogError.self) { try SessionID(region: "eu-1", partition: 0, openedAt: 0) }
        #expect(throws: SessionLogError.self) { try SessionID(region: "eu1", partition: 100, openedAt: 0) }
    }

    @Test func `days follow the calendar`() {
        #expect(CalendarDay(unixSeconds: 0).iso == "1970-01-01")
        #expect(CalendarDay(unixSeconds: -1).iso == "1969-12-31")
        #expect(CalendarDay(unixSeconds: 951_782_400).iso == "2000-02-29")
        #expect(CalendarDay(unixSeconds: 951_868_799).iso == "2000-02-29")
        #expect(CalendarDay(unixSeconds: 951_868_800).iso == "2000-03-01")
        #expect(CalendarDay(unixSeconds: 4_107_542_399).iso == "2100-02-28")
        #expect(CalendarDay(unixSeconds: 4_107_542_400).iso == "2100-03-01")
        #expect(CalendarDay(digits: "21000229") == nil)
    }
}

import Cryptography

/// The name of a session: `region-partition-yyyymmdd-random`, for example `eu1-07-20261121-4w9k...` with 26 random characters.
///
/// Region and partition say which Redis and which keys hold it, the date which PostgreSQL partition. The random part (128 bits from the
/// system's generator) makes it unguessable; nobody may build one from anything else.
package struct SessionID: Hashable, Sendable, CustomStringConvertible {
    /// Partitions have two digits in an id.
    package static let partitionLimit = 100
    private static let secretLength = 26

    /// 1 to 16 lower-case letters and digits.
    package let region: String
    /// 0 to 99; all Redis keys of the session carry it as their hash tag.
    package let partition: Int
    /// The day, in UTC, on which the session was opened.
    package let openingDate: CalendarDay
    private let secret: String

    /// A new id.
    ///
    /// - Throws: `invalidSessionID` when region or partition cannot be part of an id, which is an error of the configuration.
    package init(region: String, partition: Int, openedAt seconds: Int64) throws(SessionLogError) {
        var random = SystemRandomNumberGenerator()
        try self.init(region: region, partition: partition, openedAt: seconds, using: &random)
    }

    /// A new id from the given generator, for tests.
    package init(
        region: String, partition: Int, openedAt seconds: Int64, using random: inout some RandomNumberGenerator
    ) throws(SessionLogError) {
        guard Self.isValid(region: region) else {
            throw Self.invalid("the region '\(region)' is not 1 to 16 lower-case letters and digits")
        }
        guard (0..<Self.partitionLimit).contains(partition) else {
            throw Self.invalid("the partition \(partition) is not between 0 and \(Self.partitionLimit - 1)")
        }
        self.region = region
        self.partition = partition
        openingDate = CalendarDay(unixSeconds: seconds)
        secret = CrockfordBase32.encode((0..<16).map { _ in UInt8.random(in: .min ... .max, using: &random) })
    }

    /// Parses an id.
    ///
    /// - Throws: `invalidSessionID` that names the part which is wrong.
    package init(_ text: String) throws(SessionLogError) {
        let parts = text.utf8.count <= 64 ? text.split(separator: "-", omittingEmptySubsequences: false) : []
        guard parts.count == 4 else { throw Self.invalid("it does not look like region-partition-date-random") }
        guard Self.isValid(region: parts[0]) else {
            throw Self.invalid("its region is not lower-case letters and digits")
        }
        guard parts[1].utf8.count == 2, parts[1].utf8.allSatisfy(Self.isDigit), let partition = Int(parts[1]) else {
            throw Self.invalid("its partition is not two digits")
        }
        guard let date = CalendarDay(digits: parts[2]) else { throw Self.invalid("its date is not yyyymmdd") }
        guard parts[3].utf8.count == Self.secretLength,
            let secret = CrockfordBase32.decode(parts[3]).map(CrockfordBase32.encode),
            secret == parts[3]
        else {
            throw Self.invalid("its random part is not \(Self.secretLength) characters of base32")
        }
        region = String(parts[0])
        self.partition = partition
        openingDate = date
        self.secret = secret
    }

    package var description: String {
        "\(region)-\(partition < 10 ? "0" : "")\(partition)-\(openingDate.digits)-\(secret)"
    }

    private static func isValid(region: some StringProtocol) -> Bool {
        (1...16).contains(region.utf8.count)
            && region.utf8.allSatisfy { isDigit($0) || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) }
    }

    private static func isDigit(_ character: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(character)
    }

    private static func invalid(_ what: String) -> SessionLogError {
        SessionLogError(.invalidSessionID, message: "This is not a session id: \(what).")
    }
}

import Glibc

/// Wall clock time for people and machines that read logs.
package enum Timestamp {
    /// Milliseconds since the epoch, now.
    package static func now() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }

    /// Milliseconds since the epoch as RFC 3339 in UTC with three decimals, `2025-11-21T06:33:00.123Z`.
    package static func rfc3339(milliseconds: Int64) -> String {
        let (days, inDay) = divide(milliseconds, by: 86_400_000)
        let (year, month, day) = civil(daysSinceEpoch: days)
        let (hour, minute) = (inDay / 3_600_000, inDay / 60_000 % 60)
        let (second, thousandth) = (inDay / 1000 % 60, inDay % 1000)
        return "\(pad(year, 4))-\(pad(month, 2))-\(pad(day, 2))T"
            + "\(pad(hour, 2)):\(pad(minute, 2)):\(pad(second, 2)).\(pad(thousandth, 3))Z"
    }

    // The proleptic Gregorian date of a day number. Counting years from March puts the leap day last, so that month lengths
    // follow the line (153 m + 2) / 5; an era is the 400 years (146,097 days) after which the calendar repeats.
    private static func civil(daysSinceEpoch days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        // Day 0 of the era count is 0000-03-01, 719,468 days before the epoch.
        let (era, dayOfEra) = divide(days + 719_468, by: 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let marchMonth = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * marchMonth + 2) / 5 + 1
        let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
        return (era * 400 + yearOfEra + (month <= 2 ? 1 : 0), month, day)
    }

    private static func divide(_ value: Int64, by divisor: Int64) -> (quotient: Int64, remainder: Int64) {
        let remainder = ((value % divisor) + divisor) % divisor
        return ((value - remainder) / divisor, remainder)
    }

    private static func pad(_ value: Int64, _ width: Int) -> String {
        let digits = String(value)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}

/// What an archiver can be told.
package struct ArchiverSettings: Sendable {
    /// Partitions whose streams are read: all of the region's, as the session stores have them.
    package var partitions = 0..<16
    /// Entries read from each partition at a time; a batch is at most this times the partitions.
    package var batchEntries = 500
    /// Parts into which the partitions are divided: one is read and understood while PostgreSQL stores another. Sessions of two parts have
    /// nothing in common, so that they do not wait for each other.
    package var lanes = 2
    /// How long a read waits for the first entry.
    package var readWait: Duration = .milliseconds(500)
    /// Entries delivered this long ago and not acknowledged are taken over.
    package var claimAfter: Duration = .seconds(30)
    /// Between two looks for such entries.
    package var claimInterval: Duration = .seconds(5)
    /// Between two trims of the streams.
    package var trimInterval: Duration = .seconds(5)
    /// Between two looks at partitions and retention.
    package var upkeepInterval: Duration = .seconds(3600)
    /// Months for which partitions are made ahead.
    package var monthsAhead = 2
    /// How long the log of a closed and archived session stays in Redis.
    package var closedLife: Duration = .seconds(300)

    package init() {}
}

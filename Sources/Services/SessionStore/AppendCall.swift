import RedisClient
import SessionLog

/// Keys and arguments of one call of `StoreScripts.append`.
struct AppendCall {
    private(set) var keys = [RedisKeys.leases]
    private(set) var arguments: [RedisArgument]
    /// Places of the partitions' archives in `keys`, from 1.
    private var archives: [Int: Int] = [:]

    init(_ settings: StoreSettings) {
        arguments = [.integer(settings.life), .integer(settings.restorableAge)]
    }

    mutating func add(_ append: EventIntake.Prepared, worker: String) {
        let archive = archive(of: append.session.id.partition)
        keys += [append.session.header, append.session.log]
        let isPlain = append.isPlain
        arguments += [
            .integer(keys.count - 1), .integer(archive), isPlain ? "1" : "0",
            append.closes && append.malformed == nil ? "1" : "0", .string(append.tenant), .string(append.session.name),
            .integer(append.fence), .integer(append.firstSequence), .integer(append.entries.count),
            .integer(append.firstSequence + UInt64(append.entries.count)), .integer(append.version), .string(worker),
        ]
        for entry in append.entries {
            if !isPlain { arguments.append(.integer(entry.fence)) }
            arguments.append(.data(entry.bytes))
        }
    }

    private mutating func archive(of partition: Int) -> Int {
        if let place = archives[partition] { return place }
        keys.append(RedisKeys.archive(partition: partition))
        archives[partition] = keys.count
        return keys.count
    }
}

import RedisClient
import SessionLog

/// Keys and arguments of one call of `StoreScripts.append`.
struct AppendCall {
    private(set) var keys = ScriptKeys()
    private(set) var arguments: [RedisArgument]

    init(_ settings: StoreSettings) {
        arguments = [.integer(settings.life), .integer(settings.restorableAge)]
    }

    mutating func add(_ append: EventIntake.Prepared, worker: String) {
        let partition = append.session.id.partition
        let place = keys.place(of: partition) {
            $0.add(RedisKeys.archive(partition: partition), RedisKeys.leases(partition: partition))
        }
        let isPlain = append.isPlain
        arguments += [
            .integer(keys.add(append.session.header, append.session.log)), .integer(place), isPlain ? "1" : "0",
            append.closes && append.malformed == nil ? "1" : "0", .string(append.tenant), .string(append.session.name),
            .integer(append.fence), .integer(append.firstSequence), .integer(append.entries.count),
            .integer(append.firstSequence + UInt64(append.entries.count)), .integer(append.version), .string(worker),
        ]
        for entry in append.entries {
            if !isPlain { arguments.append(.integer(entry.fence)) }
            arguments.append(.data(entry.bytes))
        }
    }
}

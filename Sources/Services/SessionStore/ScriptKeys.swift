/// The keys of one script call, which may be of several partitions; arguments name them by their places, from 1.
struct ScriptKeys {
    private(set) var all: [String] = []
    private var partitions: [Int: Int] = [:]

    /// Returns the place of the first one; the others follow it.
    mutating func add(_ keys: String...) -> Int {
        all += keys
        return all.count - keys.count + 1
    }

    /// The place of what a partition has once.
    mutating func place(of partition: Int, _ add: (inout ScriptKeys) -> Int) -> Int {
        if let place = partitions[partition] { return place }
        let place = add(&self)
        partitions[partition] = place
        return place
    }
}

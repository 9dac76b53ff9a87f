/// In which order workers are tried: the less loaded of two drawn at random first, then all others by load. Pure.
package enum PlacementPolicy {
    /// Candidates in the order in which they are asked for room.
    package static func order<Generator: RandomNumberGenerator>(
        _ workers: [WorkerEntry], excluding: Set<String> = [], using generator: inout Generator
    ) -> [WorkerEntry] {
        var rest = workers.filter { !$0.isDraining && $0.capacity > 0 && !excluding.contains($0.id) }.shuffled(using: &generator)
        guard rest.count > 1 else { return rest }
        let best = rest[0].utilisation <= rest[1].utilisation ? 0 : 1
        let first = rest.remove(at: best)
        return [first] + rest.sorted { $0.utilisation < $1.utilisation }
    }

    /// The share of each worker that new sessions leave free: 1/N of N workers, so that the others can carry one that dies, but never
    /// more than a half (a single worker has nobody to carry for) and at least a tenth.
    package static func reserve(workers count: Int) -> Double {
        guard count > 1 else { return WorkerRegistry.minimumReserve }
        return min(0.5, max(WorkerRegistry.minimumReserve, 1 / Double(count)))
    }
}

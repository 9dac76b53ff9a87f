/// What is left to do, decided from the files and from what the database says was applied. Pure.
package struct MigrationPlan: Sendable, Equatable {
    /// A row of `parley.schema_migrations`.
    package struct Applied: Sendable, Equatable {
        package let number: Int
        package let file: String
        package let checksum: String

        package init(number: Int, file: String, checksum: String) {
            self.number = number
            self.file = file
            self.checksum = checksum
        }
    }

    /// To be applied, in order.
    package let pending: [Migration]
    /// Applied by a newer build; nothing to be done about them.
    package let unknown: [Applied]

    /// - Throws: `MigrationError` with code `changed` when an applied file was edited, `outOfOrder` when a file was slipped in
    ///   before one that is applied already.
    package init(files: [Migration], applied: [Applied]) throws(MigrationError) {
        let rows = Dictionary(applied.map { ($0.number, $0) }, uniquingKeysWith: { first, _ in first })
        let known = Set(files.map(\.number))
        let newestKnown = applied.map(\.number).filter(known.contains).max() ?? 0
        var pending: [Migration] = []
        for file in files {
            if let row = rows[file.number] {
                guard row.checksum == file.checksum else {
                    throw MigrationError(
                        .changed,
                        "'\(file.file)' was changed after it had been applied (as '\(row.file)'); restore it and write the"
                            + " change as a migration with a new number")
                }
            } else if file.number < newestKnown {
                throw MigrationError(
                    .outOfOrder,
                    "'\(file.file)' comes before migrations that are applied already; give it a higher number")
            } else {
                pending.append(file)
            }
        }
        self.pending = pending
        unknown = applied.filter { !known.contains($0.number) }
    }
}

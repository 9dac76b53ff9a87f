import Foundation

/// CPU time of this process.
enum ProcessTime {
    static func seconds() -> Double { Double(clock()) / Double(CLOCKS_PER_SEC) }
}

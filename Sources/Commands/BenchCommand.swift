import ArgumentParser

/// `parley bench`: measures a cluster of its own.
struct BenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "bench", abstract: "Measures latency, barge-in, density and set-up.")
    func run() async throws { throw CommandError("not measured yet") }
}

package import ArgumentParser

/// The `parley` command line.
package struct Parley: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "parley", abstract: "Runs, calls and looks after voice agents.", version: "0.1.0",
        subcommands: [
            CallCommand.self, BackendsCommand.self, TokenCommand.self, RoomsCommand.self, BenchCommand.self, ChaosCommand.self, MigrateCommand.self, AgentsCommand.self,
            KeysCommand.self, DoctorCommand.self,
        ])

    package init() {}
}

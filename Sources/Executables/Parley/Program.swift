import ArgumentParser
import ParleyCommands

/// The `parley` command line.
@main
enum Program {
    static func main() async { await Parley.main() }
}

import ParleyDispatcher

@main
enum Dispatcher {
    static func main() async { await DispatcherProgram.main() }
}

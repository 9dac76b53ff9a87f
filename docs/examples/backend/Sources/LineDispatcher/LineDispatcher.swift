import LineBackend
import ParleyDispatcher

@main
enum LineDispatcher {
    static func main() async { await DispatcherProgram.main(backends: [LineBackend()]) }
}

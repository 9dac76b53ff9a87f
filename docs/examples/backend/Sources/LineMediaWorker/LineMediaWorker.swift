import LineBackend
import ParleyMediaWorker

@main
enum LineMediaWorker {
    static func main() async { await MediaWorkerProgram.main(backends: [LineBackend()]) }
}

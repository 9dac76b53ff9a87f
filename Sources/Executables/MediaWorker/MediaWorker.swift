import ParleyMediaWorker

@main
enum MediaWorker {
    static func main() async { await MediaWorkerProgram.main() }
}

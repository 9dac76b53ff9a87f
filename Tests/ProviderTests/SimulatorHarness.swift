import NIOCore
import NIOPosix
import ProviderSimulator

/// The loop all tests' providers live on.
let loop = MultiThreadedEventLoopGroup.singleton.any()

/// Runs a simulator for the length of `body`.
func withSimulator(
    _ configure: (inout SimulatorConfiguration) -> Void = { _ in }, _ body: (ProviderSimulator) async throws -> Void
) async throws {
    var configuration = SimulatorConfiguration()
    // Fast, so that a suite takes seconds; what is waited for is an event, never a time.
    configuration.recognition.final = .fixed(40)
    configuration.language.firstToken = .fixed(2)
    configuration.language.perToken = .fixed(1)
    configuration.speech.firstByte = .fixed(5)
    configuration.speech.pace = 100
    configure(&configuration)
    let simulator = try await ProviderSimulator.start(configuration)
    do { try await body(simulator) } catch {
        await simulator.stop()
        throw error
    }
    await simulator.stop()
}

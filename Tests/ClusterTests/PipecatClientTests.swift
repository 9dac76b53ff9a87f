import Audio
import CallerSimulator
import ClusterSupport
import Foundation
import TestDatabases
import Testing

/// A Python with `Tests/python/requirements.txt`; `deploy/local test` makes one.
private let python = ProcessInfo.processInfo.environment["PARLEY_TEST_PYTHON"]

extension ClusterTests {
    /// Pipecat's own client from PyPI, unmodified, as the caller.
    @Suite(.enabled(if: python != nil, "PARLEY_TEST_PYTHON is not set"))
    struct PipecatClientTests {
        /// A transport of Pipecat, and whether it puts a WAV header on every packet.
        struct Peer: Sendable, CustomTestStringConvertible {
            var transport: String
            var path: String
            var wavHeaders = false
            var testDescription: String { transport + (wavHeaders ? " with WAV headers" : "") }

            static let all = [
                Peer(transport: "protobuf", path: "/v1/ws", wavHeaders: true), Peer(transport: "protobuf", path: "/v1/ws"),
                Peer(transport: "json", path: "/v1/rtvi"),
            ]
        }

        @Test(arguments: Peer.all)
        func pipecatsClientHoldsAConversation(_ peer: Peer) async throws {
            let bed = try await Testbed.shared()
            let folder = FileManager.default.temporaryDirectory.appending(path: "parley-pipecat-\(UUID().uuidString)")
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(at: folder) }
            let files = try Testbed.lines.enumerated().map { index, line in
                let path = folder.appending(path: "\(index).wav").path
                try WAVFile(samples: try CallerSpeech(line, voice: "rms").samples).write(to: path)
                return path
            }
            let token = try await API.token(
                at: bed.cluster.url(), agent: "lead-qualification", key: LocalCluster.apiKey)
            let url = Testbed.webSocketAddress(bed.cluster, "token=\(token)", path: peer.path)
            let outcome = try await Command.run(
                python ?? "",
                [
                    TestPostgres.repository + "/Tests/python/check_pipecat_client.py", "--url", url,
                    "--transport", peer.transport, "--wav-headers", peer.wavHeaders ? "on" : "off", "--greeted", "Acme Analytics",
                    "--say", files[0], "--heard", "Anna Schmidt", "--answered", "company",
                    "--say", files[1], "--heard", "Northwind Traders", "--answered", "do for you",
                    "--interrupt", files[2],
                ])
            #expect(outcome.status == 0 && outcome.output.contains("the conversation went well"), "\(outcome.output)")
        }
    }
}

import Foundation
import Logging
import ServiceSupport
import SessionLog
import Testing

@Suite(.enabled(if: StoreFixture.isRedisThere), .timeLimit(.minutes(1))) struct StoreSecurityTests {
    @Test func `services with certificates of one authority talk, others do not`() async throws {
        let ours = try Certificates()
        let theirs = try Certificates()
        defer { for certificates in [ours, theirs] { certificates.remove() } }
        try await StoreFixture.with(security: ours.security) { fixture in
            #expect(try await !fixture.owned().header.session.isEmpty)
            for security in [StoreSecurity.plaintext, theirs.security] {
                let stranger = try StoreClient(
                    addresses: fixture.client.addresses, security: security, timeout: .seconds(1), logger: Logger(label: "test"))
                await withTaskGroup(of: Void.self) { group in
                    group.addTask { try? await stranger.run() }
                    await #expect(throws: SessionLogError.self, "\(security)") {
                        try await stranger.header(tenant: fixture.tenant, session: "s")
                    }
                    stranger.close()
                }
            }
        }
    }

    @Test func `a certificate without its key is a mistake in the configuration`() throws {
        func security(_ variables: [String: String]) throws -> StoreSecurity {
            try StoreSecurity(ServiceEnvironment(StoreSecurity.declarations, from: variables))
        }
        #expect(try security([:]) == .plaintext)
        let error = #expect(throws: ConfigurationError.self) { try security(["PARLEY_INTERNAL_CERTIFICATE_FILE": "a.pem"]) }
        #expect(error?.problems.map(\.variable) == ["PARLEY_INTERNAL_PRIVATE_KEY_FILE", "PARLEY_INTERNAL_CA_FILE"])
    }

    /// An authority and a certificate for 127.0.0.1 that it signed, made by the openssl command.
    private struct Certificates {
        private let folder = FileManager.default.temporaryDirectory.appending(path: "certificates-\(UUID())")

        init() throws {
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            try openssl("req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=authority -keyout ca.key -out ca.pem")
            try openssl("req -newkey rsa:2048 -nodes -subj /CN=service -keyout key.pem -out request.pem")
            try Data("subjectAltName=IP:127.0.0.1,DNS:127.0.0.1".utf8).write(to: folder.appending(path: "names"))
            try openssl("x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out service.pem")
        }

        var security: StoreSecurity {
            .mutualTLS(
                certificates: folder.appending(path: "service.pem").path, privateKey: folder.appending(path: "key.pem").path,
                authorities: folder.appending(path: "ca.pem").path)
        }

        func remove() { try? FileManager.default.removeItem(at: folder) }

        private func openssl(_ arguments: String) throws {
            let process = Process()
            process.executableURL = URL(filePath: "/usr/bin/openssl")
            process.arguments = arguments.split(separator: " ").map(String.init)
            process.currentDirectoryURL = folder
            process.standardError = FileHandle.nullDevice
            try process.run()
            process.waitUntilExit()
            try #require(process.terminationStatus == 0, "openssl \(arguments)")
        }
    }
}

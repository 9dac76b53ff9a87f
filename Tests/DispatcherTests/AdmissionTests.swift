import BackendKit
import Logging
import PipecatBackend
import Testing

@testable import DispatcherService

/// From a credential to a place on a worker, or to the reason why not.
@Suite struct AdmissionTests {
    private let cluster = Cluster()

    private func request(_ credential: String?, agent: String? = "tea") -> Admission.Request {
        .init(credential: credential, agent: agent, parameters: ["campaign": "spring"], backend: "pipecat")
    }

    private func refusal(_ request: Admission.Request) async throws -> AdmissionError {
        let error = await #expect(throws: (any Error).self) { try await cluster.admission.admit(request) }
        return try #require(error as? AdmissionError)
    }

    @Test func anAPIKeyOpensASessionOnAWorker() async throws {
        let admitted = try await cluster.admission.admit(request(FakeDirectory.key))
        #expect(admitted.session == "s-1")
        #expect(admitted.ticket == "ticket s-1 7")
        #expect(admitted.place.worker == "w-1")
        // The reservation is the key under which an open that is sent twice opens once.
        #expect(
            cluster.store.opened == [
                .init(
                    tenant: "acme", agent: "tea", colleagues: [], backend: "pipecat",
                    parameters: ["campaign": "spring"], key: "r-1")
            ])
    }

    @Test func aConnectTokenStandsForTenantAgentAndParameters() async throws {
        let token = try await cluster.admission.connect(
            key: FakeDirectory.key, agent: "tea", parameters: ["campaign": "autumn"])
        let admitted = try await cluster.admission.admit(request(token, agent: "another"))
        #expect(admitted.tenant == "acme")
        #expect(cluster.store.opened.first?.parameters == ["campaign": "autumn"])
        #expect(cluster.store.opened.first?.agent == "tea")
    }

    @Test func aTokenWorksOnce() async throws {
        let token = try await cluster.admission.connect(key: FakeDirectory.key, agent: "tea", parameters: [:])
        _ = try await cluster.admission.admit(request(token))
        let error = try await refusal(request(token))
        #expect(error.code == .usedToken)
        #expect(error.closeCode == 4003)
        #expect(error.status == 401)
    }

    @Test func anExpiredTokenIsRefused() async throws {
        let token = try await cluster.admission.connect(key: FakeDirectory.key, agent: "tea", parameters: [:])
        cluster.tokens.expireAll()
        #expect(try await refusal(request(token)).code == .badToken)
        #expect(cluster.store.opened.isEmpty)
    }

    @Test(arguments: [nil, ""]) func noCredentialIsRefused(_ credential: String?) async throws {
        let error = try await refusal(request(credential))
        #expect(error.code == .missingCredentials)
        #expect(error.message.contains("/v1/connect"))
    }

    @Test func aBadKeyIsRefusedWithoutRepeatingIt() async throws {
        let error = try await refusal(request("parley_stolen"))
        #expect(error.code == .badKey)
        #expect(!error.description.contains("stolen"))
    }

    @Test func anUnknownAgentIsRefusedWithThoseThatExist() async throws {
        let error = try await refusal(request(FakeDirectory.key, agent: "coffee"))
        #expect(error.code == .unknownAgent)
        #expect(error.closeCode == 4004)
        #expect(error.message == "there is no agent 'coffee'; known: tea")
        await #expect(throws: error) {
            try await cluster.admission.connect(key: FakeDirectory.key, agent: "coffee", parameters: [:])
        }
    }

    @Test(arguments: [nil, ""]) func aKeyWithoutAnAgentIsRefused(_ agent: String?) async throws {
        let error = try await refusal(request(FakeDirectory.key, agent: agent))
        #expect(error.code == .badRequest)
        #expect(error.closeCode == 4000)
    }

    @Test func aFullClusterOpensNoSession() async throws {
        cluster.workers.fail(with: AdmissionError(.full, "all media workers are full; try again in a few seconds"))
        let error = try await refusal(request(FakeDirectory.key))
        #expect(error.code == .full)
        #expect(error.closeCode == 1013)
        #expect(error.status == 503)
        #expect(cluster.store.opened.isEmpty)
    }

    @Test func aStoreThatIsAwayIsNotAnAdmission() async throws {
        cluster.store.fail(with: Cluster.Away())
        await #expect(throws: Cluster.Away.self) { try await cluster.admission.admit(request(FakeDirectory.key)) }
    }

    @Test func agentsThatMayTakeOverArePinnedWithTheSession() async throws {
        func agent(_ name: String, _ handOffs: String) -> AgentVersion {
            let text = "agent: \(name)\npipeline: {llm: openai/x}\nhand_off_to: {\(handOffs)}\n"
            return AgentVersion(name: name, hash: "h-\(name)", definition: text)
        }
        var cluster = Cluster()
        cluster.directory.others = [
            agent("sales", "billing: invoices, nobody: never"), agent("billing", "sales: orders, legal: courts"),
            agent("legal", ""),
            agent("other", ""),
        ]
        _ = try await cluster.admission.admit(request(FakeDirectory.key, agent: "sales"))
        #expect(cluster.store.opened.first?.colleagues == ["billing", "legal"])
    }

    /// A backend whose calls can be transferred, and does nothing else.
    private struct Telephone: VoiceBackend, BackendAdmission {
        let name = "telephone"
        let capabilities: BackendCapabilities = .transfer
        let fields: [BackendField] = []
        func makeAdmission(_ settings: BackendSettings, logger: Logger) throws -> any BackendAdmission { self }
        func makeMedia(_ settings: BackendSettings, logger: Logger) throws -> BackendMedia { throw BackendError(name, "has no media") }
    }

    @Test func whoMayTransferCallersTakesOnlyCallsThatCanBeTransferred() async throws {
        func agent(_ name: String, _ more: String) -> AgentVersion {
            AgentVersion(name: name, hash: "h-\(name)", definition: "agent: \(name)\npipeline: {llm: openai/x}\n\(more)\n")
        }
        var cluster = Cluster()
        cluster.directory.others = [
            agent("switchboard", "transfer_to: {reception: {to: 'tel:+4930123456', when: always}}"),
            agent("sales", "hand_off_to: {switchboard: always}"), agent("plain", ""),
        ]
        var admission = cluster.admission
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        for backend in [PipecatBackend(), Telephone()] as [any VoiceBackend] {
            try admission.backends.add(backend, BackendSettings(of: backend) { _ in nil }, logger: logger)
        }
        func admit(_ agent: String, _ backend: String) async throws {
            _ = try await admission.admit(.init(credential: FakeDirectory.key, agent: agent, backend: backend))
        }
        for name in ["switchboard", "sales"] {
            let error = await #expect(throws: AdmissionError.self) { try await admit(name, "pipecat") }
            #expect(error?.code == .badRequest)
            for part in ["the agent 'switchboard' may transfer callers", "'transfer_to'", "'pipecat'", "GET /v1/backends"] {
                #expect(error?.message.contains(part) == true, "\(error?.message ?? "")")
            }
            try await admit(name, "telephone")
        }
        #expect(cluster.store.opened.map(\.agent) == ["switchboard", "sales"])
        try await admit("plain", "pipecat")
    }

    @Test func everyRefusalHasACloseCodeAndAStatus() {
        for code in AdmissionError.Code.allCases {
            let error = AdmissionError(code, "x")
            #expect((1_011...1_013).contains(error.closeCode) || (4_000...4_999).contains(error.closeCode))
            #expect((400...503).contains(error.status))
        }
    }
}

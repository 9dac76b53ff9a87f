import Foundation
package import Placement
package import SessionLog

/// Clients that come back: their tokens, and where their sessions are.
package protocol Returns: Sendable {
    /// A token for the session's client.
    func mint(_ record: ReturnRecord) async throws -> String
    /// The client has a newer one.
    func forget(_ token: String) async
    /// The session of a token, and the number of the connection that is made with it.
    ///
    /// - Throws: `badToken` for a token that is not good any more, `sessionOver` for a session that has ended.
    func find(_ token: String) async throws -> (record: ReturnRecord, generation: UInt32, standing: SessionStanding)
    /// Where a session stands now.
    ///
    /// - Throws: `sessionOver`; what the store throws.
    func standing(of session: String, tenant: String) async throws -> SessionStanding
    /// Whether the client has connected again since the connection with this number.
    func isSuperseded(_ session: String, generation: UInt32) async -> Bool
}

/// What a resume token stands for.
package struct ReturnRecord: Codable, Sendable, Hashable {
    package var session: String
    package var tenant: String
    /// What the session needs of a worker.
    package var weight: Double
    package var labels: Set<String>

    package init(session: String, tenant: String, weight: Double, labels: Set<String> = []) {
        self.session = session
        self.tenant = tenant
        self.weight = weight
        self.labels = labels
    }
}

/// Where a session stands.
package struct SessionStanding: Sendable, Hashable {
    package var fence: UInt64
    /// Id and address (`host:port`) of the worker that claimed it last; empty before the first.
    package var owner: String
    package var address: String

    package init(fence: UInt64, owner: String, address: String) {
        self.fence = fence
        self.owner = owner
        self.address = address
    }
}

/// `Returns` by tokens in Redis and the session store.
package struct Resumption: Returns {
    private let tokens: ResumeTokenStore
    private let client: StoreClient

    package init(tokens: ResumeTokenStore, client: StoreClient) {
        self.tokens = tokens
        self.client = client
    }

    package func mint(_ record: ReturnRecord) async throws -> String { try await tokens.mint(try JSONEncoder().encode(record)) }

    package func forget(_ token: String) async { try? await tokens.forget(token) }

    package func find(_ token: String) async throws -> (record: ReturnRecord, generation: UInt32, standing: SessionStanding) {
        guard token.hasPrefix(ResumeTokenStore.prefix), let data = try await tokens.record(of: token),
            let record = try? JSONDecoder().decode(ReturnRecord.self, from: data)
        else { throw AdmissionError(.badToken, "the resume token is not known any more; start a new call") }
        let standing = try await standing(of: record.session, tenant: record.tenant)
        return (record, try await tokens.nextGeneration(of: record.session), standing)
    }

    package func standing(of session: String, tenant: String) async throws -> SessionStanding {
        do {
            let header = try await client.header(tenant: tenant, session: session)
            guard header.status == "open" else { throw AdmissionError(.sessionOver, "the call has ended") }
            return SessionStanding(fence: header.fence, owner: header.owner, address: header.ownerAddress)
        } catch let error as SessionLogError where error.code == .notFound {
            throw AdmissionError(.sessionOver, "the call has ended")
        }
    }

    package func isSuperseded(_ session: String, generation: UInt32) async -> Bool {
        // Redis away: then nobody can have taken it over either.
        ((try? await tokens.generation(of: session)) ?? generation) > generation
    }
}

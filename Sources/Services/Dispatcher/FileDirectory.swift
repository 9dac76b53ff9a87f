import Conversation
package import Cryptography
import Foundation

/// Agents out of a directory of YAML files and one API key, for development and benchmarks: no PostgreSQL is needed.
package struct FileDirectory: CallerDirectory {
    private let tenant: String
    private let keyHash: [UInt8]
    private let byName: [String: AgentVersion]

    /// Reads every `*.yaml` in `directory`. Throws `ConfigurationFileError` for the first file with problems.
    package init(directory: String, key: Secret, tenant: String = "default") throws {
        self.tenant = tenant
        keyHash = try SHA256.hash(key.bytes)
        var agents: [String: AgentVersion] = [:]
        for name in try FileManager.default.contentsOfDirectory(atPath: directory).sorted() where name.hasSuffix(".yaml") {
            let text = try String(contentsOfFile: "\(directory)/\(name)", encoding: .utf8)
            let agent = try AgentFile.read(text, source: name)
            agents[agent.name] = AgentVersion(name: agent.name, hash: try SHA256.hex(text), definition: text)
        }
        byName = agents
    }

    package func holder(ofKey key: String) -> KeyHolder? {
        guard let hash = try? SHA256.hash(Array(key.utf8)), hash == keyHash else { return nil }
        return KeyHolder(tenant: tenant, key: "file")
    }

    package func agent(named name: String, tenant: String) -> AgentVersion? { tenant == self.tenant ? byName[name] : nil }

    package func agents(of tenant: String) -> [AgentVersion] {
        tenant == self.tenant ? byName.values.sorted { $0.name < $1.name } : []
    }
}

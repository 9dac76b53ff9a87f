import ArgumentParser
import Cryptography
import Foundation
import Logging
import PostgresClient
import TenantDirectory

/// `parley agents`: agent definitions in PostgreSQL.
struct AgentsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "agents", abstract: "Checks agent files and stores them.", subcommands: [Check.self, Push.self, List.self])

    struct Check: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Checks agent files without storing them.")
        @Argument(help: "A file, or a directory of .yaml files.") var path: String = "agents"

        func run() throws {
            for agent in try AgentFiles.load(path) { print("ok  \(agent.name)  (\(agent.path))") }
        }
    }

    struct Push: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Stores agent files as versions; new sessions get them, live ones keep theirs.")
        @Argument(help: "A file, or a directory of .yaml files.") var path: String = "agents"
        @OptionGroup var scope: TenantScope

        func run() async throws {
            let agents = try AgentFiles.load(path)
            try await scope.withStore { store in
                for agent in agents {
                    let version = try await store.pushAgent(tenant: scope.tenant, name: agent.name, definition: agent.text)
                    print("\(agent.name)  \(version.hash.prefix(12))")
                }
            }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Lists the current agents of a tenant.")
        @OptionGroup var scope: TenantScope

        func run() async throws {
            try await scope.withStore { store in
                let snapshot = try await store.snapshot()
                for name in snapshot.agentNames(tenant: scope.tenant) {
                    print("\(name)  \(snapshot.agent(tenant: scope.tenant, name: name)?.hash.prefix(12) ?? "")")
                }
            }
        }
    }
}

/// `parley keys`: API keys in PostgreSQL, stored hashed.
struct KeysCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keys", abstract: "Creates, lists and revokes API keys.", subcommands: [Create.self, List.self, Revoke.self])

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Creates a key and prints it, once; it is stored hashed.",
            discussion: "With --file nothing happens when the file exists already.")
        @Option(help: "What the key is for.") var name: String
        @Option(help: "Write the key to this file, readable by its owner only, instead of printing it.") var file: String?
        @OptionGroup var scope: TenantScope

        func run() async throws {
            if let file, FileManager.default.fileExists(atPath: file) { return print("\(file) exists, no key was created") }
            try await scope.withStore { store in
                let created = try await store.createKey(tenant: scope.tenant, name: name, scopes: ["sessions"])
                guard let file else { return print(created.secret.revealed) }
                let isWritten = FileManager.default.createFile(
                    atPath: file, contents: Data(created.secret.revealed.utf8), attributes: [.posixPermissions: 0o600])
                guard isWritten else {
                    try await store.revokeKey(created.key.id, tenant: scope.tenant)
                    throw CommandError("'\(file)' cannot be written; the key was revoked again")
                }
                print("wrote the key \(created.key.id) to \(file)")
            }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Lists the keys of a tenant, without their secrets.")
        @OptionGroup var scope: TenantScope

        func run() async throws {
            try await scope.withStore { store in
                for key in try await store.keys(tenant: scope.tenant) {
                    print("\(key.id)  \(key.name)  \(key.isRevoked ? "revoked" : "valid")")
                }
            }
        }
    }

    struct Revoke: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Revokes a key; dispatchers notice within seconds.")
        @Argument(help: "The key's id, as listed.") var id: String
        @OptionGroup var scope: TenantScope

        func run() async throws {
            try await scope.withStore { try await $0.revokeKey(id, tenant: scope.tenant) }
            print("revoked \(id)")
        }
    }
}

/// The tenant that a command works for, and the database in PARLEY_POSTGRES_URL.
struct TenantScope: ParsableArguments {
    @Option(help: "The tenant; created when it does not exist.") var tenant = "local"

    func withStore<Value: Sendable>(_ body: (DirectoryStore) async throws -> Value) async throws -> Value {
        let logger = Logger(label: "parley")
        let pool = PostgresPool(try PostgresConfiguration(environment: ProcessInfo.processInfo.environment), logger: logger)
        let store = DirectoryStore(pool)
        do { _ = try await store.createTenant(tenant, name: tenant) } catch let error as DirectoryError where error.code == .exists {}
        let value = try await body(store)
        pool.close()
        return value
    }
}

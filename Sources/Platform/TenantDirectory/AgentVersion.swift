/// One immutable version of an agent's definition.
package struct AgentVersion: Sendable, Equatable {
    package let tenant: String
    package let name: String
    /// SHA-256 of the definition's bytes, in lower-case hexadecimal.
    package let hash: String
    /// YAML or JSON, as it was given.
    package let definition: String

    package init(tenant: String, name: String, hash: String, definition: String) {
        self.tenant = tenant
        self.name = name
        self.hash = hash
        self.definition = definition
    }
}

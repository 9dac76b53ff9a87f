/// What a service is called and what it reads.
package struct ServiceDefinition: Sendable {
    /// The name of the executable.
    package let name: String
    /// The port for `/metrics` and its like unless configured otherwise.
    package let opsPort: Int
    /// The service's own variables.
    package let keys: [EnvironmentDeclaration]
    /// Variables of other programs that may be set beside and deserve no warning.
    package let alsoKnown: Set<String>

    package init(name: String, opsPort: Int, keys: [EnvironmentDeclaration], alsoKnown: Set<String> = []) {
        self.name = name
        self.opsPort = opsPort
        self.keys = keys
        self.alsoKnown = alsoKnown
    }

    /// The service's own variables and those that every service has.
    package var allKeys: [EnvironmentDeclaration] {
        keys + [CommonKeys.opsAddress(defaultPort: opsPort).declaration, CommonKeys.shutdownGrace.declaration]
            + CommonKeys.log
    }

    /// What `--help-config` prints.
    package var configurationHelp: String {
        CommandLine.arguments.contains("--markdown") ? ServiceEnvironment.markdown(allKeys) : ServiceEnvironment.help(allKeys)
    }
}

/// The version of this build.
package enum ParleyVersion {
    /// As in `parley_build_info` and in the first log line.
    package static let current = "0.1.0"
}

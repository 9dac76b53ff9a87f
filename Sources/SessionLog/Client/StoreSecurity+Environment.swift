package import ServiceSupport

/// The certificates as services are told of them: each shows its own to the others and trusts those of one authority.
extension StoreSecurity {
    private static let certificate = EnvironmentKey<String>.string(
        "PARLEY_INTERNAL_CERTIFICATE_FILE", default: "",
        help: "PEM file of this service's certificate chain, for mutual TLS with the session stores.")
    private static let privateKey = EnvironmentKey<String>.string(
        "PARLEY_INTERNAL_PRIVATE_KEY_FILE", default: "", help: "PEM file of the certificate's private key.")
    private static let authorities = EnvironmentKey<String>.string(
        "PARLEY_INTERNAL_CA_FILE", default: "", help: "PEM file of the authorities that sign the services' certificates.")
    private static let keys = [certificate, privateKey, authorities]

    package static let declarations = keys.map(\.declaration)

    /// Plaintext when none of the files is given.
    ///
    /// - Throws: `ConfigurationError` when some are given and some are not
    package init(_ environment: ServiceEnvironment) throws {
        let files = try Self.keys.map { try environment.get($0) }
        guard files.contains(where: { !$0.isEmpty }) else {
            self = .plaintext
            return
        }
        let missing = zip(Self.keys, files).filter { $1.isEmpty }.map { key, _ in
            ConfigurationError.Problem(
                .missing, variable: key.declaration.name, message: "is not set: mutual TLS needs all three PARLEY_INTERNAL_… files")
        }
        guard missing.isEmpty else { throw ConfigurationError(missing) }
        self = .mutualTLS(certificates: files[0], privateKey: files[1], authorities: files[2])
    }
}

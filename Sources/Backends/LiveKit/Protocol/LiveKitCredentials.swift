package import Cryptography
package import ServiceSupport

/// Where a LiveKit server is and the key that opens it.
package struct LiveKitCredentials: Sendable, Equatable {
    package let url: LiveKitURL
    /// The name of the key; public, every token carries it.
    package let apiKey: String
    /// Signs tokens.
    package let secret: Secret

    /// Throws `LiveKitError` with code `invalidCredentials` when one of them is empty or the URL is none.
    package init(url: String, apiKey: String, secret: Secret) throws {
        self.url = try LiveKitURL(url)
        guard !apiKey.isEmpty, !secret.isEmpty else {
            throw LiveKitError(
                .invalidCredentials,
                "LiveKit's API key and API secret must not be empty; both come from the server's configuration")
        }
        self.apiKey = apiKey
        self.secret = secret
    }
}

/// The variables that LiveKit's own tools read as well.
extension LiveKitCredentials {
    private static let urlKey = EnvironmentKey<String>.url(
        "LIVEKIT_URL", schemes: ["wss", "ws", "https", "http"], default: nil, help: "The LiveKit server.")
    private static let apiKeyKey = EnvironmentKey<String>.string(
        "LIVEKIT_API_KEY", default: nil, help: "An API key of the LiveKit server.")
    private static let secretKey = EnvironmentKey<Secret>.secret(
        "LIVEKIT_API_SECRET", help: "The secret of that API key.")

    /// For services that cannot do without LiveKit.
    package static let declarations = [urlKey.declaration, apiKeyKey.declaration, secretKey.declaration]
    /// For services that also run without it.
    package static let optionalDeclarations = [
        urlKey.optional.declaration, apiKeyKey.optional.declaration, secretKey.optional.declaration,
    ]

    /// From an environment that was read with `declarations`. Throws `ConfigurationError` or `LiveKitError`.
    package init(_ environment: ServiceEnvironment) throws {
        try self.init(
            url: environment.get(Self.urlKey), apiKey: environment.get(Self.apiKeyKey),
            secret: environment.get(Self.secretKey))
    }

    /// From an environment that was read with `optionalDeclarations`; nil where none of the variables is set.
    ///
    /// - Throws: `ConfigurationError` when some are set and some are not
    package static func ifConfigured(_ environment: ServiceEnvironment) throws -> LiveKitCredentials? {
        let url = try environment.get(urlKey.optional)
        let apiKey = try environment.get(apiKeyKey.optional)
        let secret = try environment.get(secretKey.optional)
        if let url, let apiKey, let secret { return try LiveKitCredentials(url: url, apiKey: apiKey, secret: secret) }
        let missing = [(urlKey.name, url == nil), (apiKeyKey.name, apiKey == nil), (secretKey.name, secret == nil)]
            .filter(\.1)
        guard missing.count < 3 else { return nil }
        throw ConfigurationError(
            missing.map {
                .init(
                    .missing, variable: $0.0,
                    message: "is not set: LiveKit needs LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET")
            })
    }
}

package import GRPCNIOTransportHTTP2Posix

/// How the connections to and of the session store are secured.
package enum StoreSecurity: Sendable, Hashable {
    /// Nothing: for one machine, or a network that is trusted.
    case plaintext
    /// Both sides show certificates. Paths of PEM files; `authorities` are those that signed the other side's certificate.
    case mutualTLS(certificates: String, privateKey: String, authorities: String)

    package var client: HTTP2ClientTransport.Posix.TransportSecurity {
        switch self {
        case .plaintext: .plaintext
        case .mutualTLS(let certificates, let privateKey, let authorities):
            .mTLS(
                certificateChain: [.file(path: certificates, format: .pem)],
                privateKey: .file(path: privateKey, format: .pem)
            ) { $0.trustRoots = .certificates([.file(path: authorities, format: .pem)]) }
        }
    }

    package var server: HTTP2ServerTransport.Posix.TransportSecurity {
        switch self {
        case .plaintext: .plaintext
        case .mutualTLS(let certificates, let privateKey, let authorities):
            .mTLS(
                certificateChain: [.file(path: certificates, format: .pem)],
                privateKey: .file(path: privateKey, format: .pem)
            ) { $0.trustRoots = .certificates([.file(path: authorities, format: .pem)]) }
        }
    }
}

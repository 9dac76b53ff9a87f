import Foundation

/// Where Redis is and how patient we are with it.
package struct RedisConfiguration: Sendable, Hashable {
    package var host: String
    package var port: Int
    package var usesTLS: Bool
    /// Empty: the default user.
    package var user: String
    /// Nil: no AUTH.
    package var password: String?
    package var database: Int
    /// What CLIENT LIST shows.
    package var name: String
    package var connectTimeout: Duration
    /// Time until the reply to a command; when it passes the connection is closed, since later replies would be as late.
    package var commandTimeout: Duration
    /// Commands that may be waiting for a reply; more are refused with `busy`.
    package var maximumInFlight: Int
    /// PEM file of the authorities that are trusted beside the system's; for TLS.
    package var trustedCertificates: String?

    /// Reads `redis://[user:password@]host[:port][/database]`, or `rediss://` for TLS.
    ///
    /// - Throws: `invalidConfiguration` with what is wrong; never with the password.
    package init(url: String, name: String = "parley") throws(RedisError) {
        guard let parts = URLComponents(string: url), let scheme = parts.scheme else {
            throw Self.invalid("it is not a URL")
        }
        guard scheme == "redis" || scheme == "rediss" else {
            throw Self.invalid("its scheme is '\(scheme)', not redis or rediss")
        }
        guard let host = parts.host, !host.isEmpty else { throw Self.invalid("it names no host") }
        let path = parts.path.drop { $0 == "/" }
        guard let database = path.isEmpty ? 0 : Int(path), database >= 0 else {
            throw Self.invalid("its path '\(path)' is not the number of a database")
        }
        // URLComponents keeps the brackets of an IPv6 address, sockets do not want them.
        self.host = String(host.drop { $0 == "[" }.prefix { $0 != "]" })
        port = parts.port ?? 6379
        usesTLS = scheme == "rediss"
        user = parts.user ?? ""
        password = parts.password
        self.database = database
        self.name = name
        connectTimeout = .seconds(2)
        commandTimeout = .seconds(2)
        maximumInFlight = 10_000
        trustedCertificates = nil
    }

    private static func invalid(_ what: String) -> RedisError {
        RedisError(
            .invalidConfiguration, "The URL of Redis cannot be used: \(what). It looks like redis://host:6379/0.")
    }

    /// What is sent first on a new connection; every reply must be a success.
    var greeting: [RedisCommand] {
        var commands: [RedisCommand] = []
        if let password {
            commands.append(
                user.isEmpty
                    ? RedisCommand("AUTH", .string(password)) : RedisCommand("AUTH", .string(user), .string(password)))
        }
        if database != 0 { commands.append(RedisCommand("SELECT", .integer(database))) }
        // The answer to it also proves that Redis has loaded its data and takes commands.
        commands.append(
            RedisCommand(
                "CLIENT", "SETNAME", .string(name.filter { $0.isLetter || $0.isNumber || "-_.:".contains($0) })))
        commands.append(RedisCommand("PING"))
        return commands
    }

    /// For logs and errors.
    package var address: String { "\(host):\(port)" }
}

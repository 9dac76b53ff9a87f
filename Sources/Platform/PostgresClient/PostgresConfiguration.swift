import CLibPQ

/// Where the server is and how patient we are. Its description never shows the password.
package struct PostgresConfiguration: Sendable, CustomStringConvertible, CustomDebugStringConvertible {
    /// Shown in `pg_stat_activity`.
    package var applicationName = "parley"
    /// From the first packet to a usable connection.
    package var connectTimeout: Duration = .seconds(5)
    /// For one statement or one pipeline; enforced by the server, and a little later by the client.
    package var statementTimeout: Duration = .seconds(30)
    /// Server settings of every connection, by name, for instance `["enable_seqscan": "off"]`.
    package var sessionSettings: [String: String] = [:]
    /// Connections a pool holds at most.
    package var maximumConnections = 8
    /// Callers that may wait for a connection; more are refused at once.
    package var maximumWaiters = 1024
    /// How long a caller waits for a connection.
    package var acquireTimeout: Duration = .seconds(10)

    /// What goes to libpq: keyword and value.
    let parameters: [String: String]

    /// A `postgresql://user:password@host:port/database?option=value` URL, or libpq's `keyword=value` form.
    ///
    /// - Parameter password: replaces the one in the URL, so that a secret can be mounted apart from it.
    /// - Throws: `PostgresError` with code `configuration` when the URL is malformed.
    package init(url: String, password: String? = nil) throws(PostgresError) {
        var parameters = try Self.parse(url)
        if let password { parameters["password"] = password }
        self.parameters = parameters
    }

    /// Reads `PARLEY_POSTGRES_URL` (required), `PARLEY_POSTGRES_PASSWORD`, `PARLEY_POSTGRES_CONNECTIONS`,
    /// `PARLEY_POSTGRES_CONNECT_TIMEOUT_MS` and `PARLEY_POSTGRES_STATEMENT_TIMEOUT_MS`.
    ///
    /// - Throws: `PostgresError` with code `configuration`, naming the variable.
    package init(environment: [String: String]) throws(PostgresError) {
        guard let url = environment["PARLEY_POSTGRES_URL"], !url.isEmpty else {
            throw PostgresError(
                .configuration, "PARLEY_POSTGRES_URL is not set; give postgresql://user:password@host:5432/database")
        }
        try self.init(url: url, password: environment["PARLEY_POSTGRES_PASSWORD"])
        if let count = try Self.positive("PARLEY_POSTGRES_CONNECTIONS", in: environment) { maximumConnections = count }
        if let limit = try Self.positive("PARLEY_POSTGRES_CONNECT_TIMEOUT_MS", in: environment) {
            connectTimeout = .milliseconds(limit)
        }
        if let limit = try Self.positive("PARLEY_POSTGRES_STATEMENT_TIMEOUT_MS", in: environment) {
            statementTimeout = .milliseconds(limit)
        }
    }

    /// The same server, another database: how tests get one each.
    package func with(database: String) -> PostgresConfiguration {
        var parameters = parameters
        parameters["dbname"] = database
        return PostgresConfiguration(copying: self, parameters: parameters)
    }

    private init(copying other: PostgresConfiguration, parameters: [String: String]) {
        self.parameters = parameters
        applicationName = other.applicationName
        connectTimeout = other.connectTimeout
        statementTimeout = other.statementTimeout
        sessionSettings = other.sessionSettings
        maximumConnections = other.maximumConnections
        maximumWaiters = other.maximumWaiters
        acquireTimeout = other.acquireTimeout
    }

    package var description: String {
        let user = parameters["user"].map { "\($0)@" } ?? ""
        let host = parameters["host"] ?? parameters["hostaddr"] ?? "the local socket"
        let port = parameters["port"].map { ":\($0)" } ?? ""
        return "postgresql://\(user)\(host)\(port)/\(parameters["dbname"] ?? "")"
    }

    package var debugDescription: String { description }

    private static func positive(_ name: String, in environment: [String: String]) throws(PostgresError) -> Int? {
        guard let text = environment[name], !text.isEmpty else { return nil }
        guard let number = Int(text), number > 0 else {
            throw PostgresError(.configuration, "\(name) must be a positive whole number, not '\(text)'")
        }
        return number
    }

    /// libpq's own parser, so that every form it knows works here.
    private static func parse(_ url: String) throws(PostgresError) -> [String: String] {
        var problem: UnsafeMutablePointer<CChar>?
        guard let options = unsafe PQconninfoParse(url, &problem) else {
            // libpq's text quotes the URL, and with it the password: it stays out of the error.
            unsafe PQfreemem(problem)
            throw PostgresError(
                .configuration,
                "the PostgreSQL URL cannot be read; expected postgresql://user:password@host:5432/database"
                    + " with special characters percent-encoded")
        }
        defer { unsafe PQconninfoFree(options) }
        var parameters: [String: String] = [:]
        var option = unsafe options
        while let keyword = unsafe option.pointee.keyword {
            if let value = unsafe option.pointee.val {
                unsafe parameters[String(cString: keyword)] = unsafe String(cString: value)
            }
            unsafe option += 1
        }
        return parameters
    }
}

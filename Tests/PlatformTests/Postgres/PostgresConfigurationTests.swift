import PostgresClient
import Testing

@Suite struct PostgresConfigurationTests {
    @Test func passwordStaysOutOfDescriptions() throws {
        let configuration = try PostgresConfiguration(url: "postgresql://parley:hush-hush@db.example:5433/parley")
        #expect("\(configuration)" == "postgresql://parley@db.example:5433/parley")
        #expect(!String(reflecting: configuration).contains("hush"))
    }

    @Test func malformedURLIsRefusedWithoutQuotingIt() {
        #expect {
            try PostgresConfiguration(url: "postgresql://parley:hush-hush@db.example:port/%zz")
        } throws: { error in
            (error as? PostgresError)?.code == .configuration && !"\(error)".contains("hush")
        }
    }

    @Test func environmentNamesTheVariableThatIsWrong() {
        #expect {
            try PostgresConfiguration(environment: [:])
        } throws: {
            "\($0)".contains("PARLEY_POSTGRES_URL")
        }
        #expect {
            try PostgresConfiguration(environment: [
                "PARLEY_POSTGRES_URL": "postgresql://localhost/parley", "PARLEY_POSTGRES_CONNECTIONS": "many",
            ])
        } throws: {
            "\($0)".contains("PARLEY_POSTGRES_CONNECTIONS") && "\($0)".contains("many")
        }
    }

    @Test func environmentSetsLimits() throws {
        let configuration = try PostgresConfiguration(environment: [
            "PARLEY_POSTGRES_URL": "postgresql://localhost/parley", "PARLEY_POSTGRES_CONNECTIONS": "3",
            "PARLEY_POSTGRES_STATEMENT_TIMEOUT_MS": "1500",
        ])
        #expect(configuration.maximumConnections == 3)
        #expect(configuration.statementTimeout == .milliseconds(1500))
    }
}

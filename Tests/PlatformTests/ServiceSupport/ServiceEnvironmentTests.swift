import Cryptography
import ServiceSupport
import Testing

@Suite struct ServiceEnvironmentTests {
    private enum Mode: String, CaseIterable {
        case fast, careful
    }

    private let port = EnvironmentKey<Int>.integer("PARLEY_PORT", in: 0...65_535, default: "8080", help: "The port.")
    private let redis = EnvironmentKey<String>.url(
        "PARLEY_REDIS_URL", schemes: ["redis", "rediss"], default: nil, help: "Redis.")
    private let token = EnvironmentKey<Secret>.secret("PARLEY_TOKEN", help: "The token.")
    private let mode = EnvironmentKey<Mode>.choice("PARLEY_MODE", default: .fast, help: "The mode.")
    private let wait = EnvironmentKey<Duration>.duration(
        "PARLEY_WAIT", in: .milliseconds(10) ... .seconds(60), default: "2s", help: "The wait.")
    private let label = EnvironmentKey<String>.string("PARLEY_LABEL", default: nil, help: "A label.").optional

    private var declarations: [EnvironmentDeclaration] {
        [port.declaration, redis.declaration, token.declaration, mode.declaration, wait.declaration, label.declaration]
    }

    private let required = ["PARLEY_REDIS_URL": "redis://localhost:6379/", "PARLEY_TOKEN": "hunter2"]

    private func problems(_ variables: [String: String]) -> [ConfigurationError.Problem] {
        do {
            _ = try ServiceEnvironment(declarations, from: variables) { path in
                guard path == "/run/secrets/token" else { throw ConfigurationError([]) }
                return "from file\r\n\n"
            }
            return []
        } catch let error as ConfigurationError {
            return error.problems
        } catch {
            Issue.record(error)
            return []
        }
    }

    @Test func unsetVariablesHaveTheirDefaults() throws {
        let environment = try ServiceEnvironment(declarations, from: required)
        #expect(try environment.get(port) == 8080)
        #expect(try environment.get(mode) == .fast)
        #expect(try environment.get(wait) == .seconds(2))
        #expect(try environment.get(label) == nil)
        #expect(try environment.get(redis) == "redis://localhost:6379")
        #expect(try environment.get(token).revealed == "hunter2")
        #expect(ServiceEnvironment.warnings(about: required, declarations: declarations).isEmpty)
    }

    @Test func setVariablesAreRead() throws {
        let variables = [
            "PARLEY_PORT": "0", "PARLEY_MODE": "careful", "PARLEY_WAIT": "250ms", "PARLEY_LABEL": "a b", "PATH": "/bin",
        ].merging(required) { first, _ in first }
        let environment = try ServiceEnvironment(declarations, from: variables)
        #expect(try environment.get(port) == 0)
        #expect(try environment.get(mode) == .careful)
        #expect(try environment.get(wait) == .milliseconds(250))
        #expect(try environment.get(label) == "a b")
    }

    @Test func everythingThatIsWrongIsReportedAtOnceAndSecretsAreNot() {
        let found = problems(["PARLEY_PORT": "99999", "PARLEY_MODE": "slow", "PARLEY_WAIT": "2", "PARLEY_TOKEN": ""])
        #expect(
            found.map(\.variable) == ["PARLEY_PORT", "PARLEY_REDIS_URL", "PARLEY_TOKEN", "PARLEY_MODE", "PARLEY_WAIT"])
        #expect(found.map(\.code) == [.invalid, .missing, .missing, .invalid, .invalid])
        #expect(found.first?.message == "is '99999'; it must be whole number 0...65535")
        #expect(found.last?.message == "is '2'; it must be duration 10ms...1m")
        let weak = EnvironmentKey<KeyRing>.keyRing("PARLEY_KEYS", help: "Keys.")
        let error = #expect(throws: ConfigurationError.self) {
            try ServiceEnvironment([weak.declaration], from: ["PARLEY_KEYS": "hunter2"])
        }
        #expect(error?.description.contains("PARLEY_KEYS has a value that is not allowed") == true)
        #expect(error?.description.contains("hunter2") == false)
    }

    @Test func secretsMayComeFromFiles() throws {
        let variables = ["PARLEY_REDIS_URL": "redis://r", "PARLEY_TOKEN_FILE": "/run/secrets/token"]
        let environment = try ServiceEnvironment(declarations, from: variables) { _ in "from file\r\n\n" }
        #expect(try environment.get(token).revealed == "from file")
        #expect(ServiceEnvironment.warnings(about: variables, declarations: declarations).isEmpty)
    }

    @Test func aFileThatCannotBeReadIsNamed() throws {
        let found = problems(["PARLEY_REDIS_URL": "redis://r", "PARLEY_TOKEN_FILE": "/nowhere"])
        #expect(found.map(\.code) == [.unreadableFile])
        #expect(found.first?.message.contains("'/nowhere'") == true)
        #expect(throws: (any Error).self) { try ServiceEnvironment.readFile("/nowhere/at/all") }
    }

    @Test func aVariableAndItsFileTogetherAreAmbiguous() {
        let variables = required.merging(["PARLEY_TOKEN_FILE": "/run/secrets/token"]) { first, _ in first }
        #expect(problems(variables).map(\.code) == [.ambiguous])
    }

    @Test func unknownVariablesOfOursGetAWarningWithTheNearestName() {
        let variables = required.merging(
            [
                "PARLEY_PROT": "1", "PARLEY_SOMETHING_ELSE": "1", "PARLEY_TEST_REDIS_URL": "x", "PARLEY_OTHER": "1",
                "PORT": "1",
                "PARLEY_REDIS_URI_FILE": "x",
            ]) { first, _ in first }
        let warnings = ServiceEnvironment.warnings(
            about: variables, declarations: declarations, alsoKnown: ["PARLEY_OTHER"])
        #expect(
            warnings == [
                "PARLEY_PROT is set and means nothing to this service; did you mean PARLEY_PORT?",
                "PARLEY_REDIS_URI_FILE is set and means nothing to this service; did you mean PARLEY_REDIS_URL?",
                "PARLEY_SOMETHING_ELSE is set and means nothing to this service",
            ])
    }

    @Test func aVariableThatIsNotDeclaredIsAnError() throws {
        let environment = try ServiceEnvironment([port.declaration], from: [:])
        let error = #expect(throws: ConfigurationError.self) { try environment.get(wait) }
        #expect(error?.problems.map(\.code) == [.undeclared])
    }

    @Test func helpListsEveryVariableWithoutSecrets() {
        let secret = EnvironmentKey<Secret>.secret("PARLEY_PASSWORD", default: "hunter2", help: "The | password.")
        for text in [
            ServiceEnvironment.help(declarations + [secret.declaration]),
            ServiceEnvironment.markdown(declarations + [secret.declaration]),
        ] {
            for declaration in declarations {
                #expect(text.contains(declaration.name) && text.contains(declaration.help))
            }
            #expect(text.contains("required") && text.contains("8080") && text.contains("fast or careful"))
            #expect(!text.contains("hunter2"))
        }
        #expect(ServiceEnvironment.markdown([secret.declaration]).contains("The \\| password."))
    }

    @Test(
        arguments: [
            ("250ms", .milliseconds(250)), ("1.5s", .milliseconds(1500)), ("5m", .seconds(300)), ("1h", .seconds(3600)),
            ("7d", .seconds(604_800)), ("0s", .zero), ("5", nil), ("s", nil), ("-1s", nil), ("1 s", nil), ("1w", nil),
            ("", nil),
            ("1e9d", nil), ("99999999d", nil), ("infs", nil), ("nanms", nil), ("1.2.3s", nil),
        ] as [(String, Duration?)])
    func durationsHaveUnits(text: String, duration: Duration?) {
        #expect(DurationText.parse(text) == duration)
        if let duration { #expect(DurationText.parse(DurationText.format(duration)) == duration) }
    }

    @Test(arguments: [
        ("127.0.0.1:80", "127.0.0.1", 80), ("[::1]:0", "::1", 0), ("redis.internal:6379", "redis.internal", 6379),
    ])
    func addressesHaveAHostAndAPort(text: String, host: String, port: Int) throws {
        let address = try #require(NetworkAddress(text))
        #expect(address == NetworkAddress(host: host, port: port))
        #expect(address.description == text)
    }

    @Test(arguments: ["", ":80", "host", "host:", "host:65536", "host:-1", "::1:80", "ho st:1", "http://host:1"])
    func otherTextIsNoAddress(text: String) {
        #expect(NetworkAddress(text) == nil)
    }

    @Test func listsFlagsAndNumbersAreRead() throws {
        let list = EnvironmentKey<[String]>.list("PARLEY_LIST", default: "", help: "A list.")
        let flag = EnvironmentKey<Bool>.flag("PARLEY_FLAG", default: true, help: "A flag.")
        let share = EnvironmentKey<Double>.number("PARLEY_SHARE", in: 0...1, default: "0.5", help: "A share.")
        let all = [list.declaration, flag.declaration, share.declaration]
        let unset = try ServiceEnvironment(all, from: [:])
        #expect(try unset.get(list) == [] && unset.get(flag) && unset.get(share) == 0.5)
        let set = try ServiceEnvironment(
            all, from: ["PARLEY_LIST": " a, b c ,,d", "PARLEY_FLAG": "No", "PARLEY_SHARE": "1"])
        #expect(try set.get(list) == ["a", "b c", "d"] && !set.get(flag) && set.get(share) == 1)
        #expect(throws: ConfigurationError.self) { try ServiceEnvironment(all, from: ["PARLEY_SHARE": "nan"]) }
    }
}

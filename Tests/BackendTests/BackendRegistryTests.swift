import BackendKit
import Logging
import Testing

/// A backend with one field of each kind.
private struct ExampleBackend: VoiceBackend {
    var name = "example"
    let capabilities: BackendCapabilities = [.dtmf, .transfer]
    let fields: [BackendField] = [
        .init("url", .url(schemes: ["ws", "wss"]), from: .operator(variable: "EXAMPLE_URL"), default: nil, help: "Where it is."),
        .init("secret", .secret, from: .operator(variable: "EXAMPLE_SECRET"), default: "", help: "Its key."),
        .init("ports", .integer(1...10), from: .operator(variable: "EXAMPLE_PORTS"), default: "2", help: "How many."),
        .init("follow", .choice(["first", "speaker"]), from: .agent, default: "first", help: "Whom the agent listens to."),
        .init("names", .list, from: .agent, default: "", help: "Some names."),
    ]

    func makeAdmission(_ settings: BackendSettings, logger: Logger) throws -> any BackendAdmission { Admission() }
    func makeMedia(_ settings: BackendSettings, logger: Logger) throws -> BackendMedia { throw BackendError(name, "has no media half") }

    private struct Admission: BackendAdmission {}
}

@Suite struct BackendRegistryTests {
    private let backend = ExampleBackend()

    private func settings(_ variables: [String: String]) throws -> BackendSettings {
        try BackendSettings(of: backend) { variables[$0] }
    }

    @Test func settingsHaveValuesOfTheOperatorAndTheDefaults() throws {
        let settings = try settings(["EXAMPLE_URL": "ws://host", "EXAMPLE_PORTS": "7"])
        #expect(settings.text("url") == "ws://host")
        #expect(settings.integer("ports") == 7)
        #expect(settings.text("secret") == "")
        #expect(try self.settings(["EXAMPLE_URL": "ws://host"]).integer("ports") == 2)
    }

    @Test(arguments: [
        ([:], "backend 'example': EXAMPLE_URL is not set; it must be ws://... or wss://... (Where it is.)"),
        (["EXAMPLE_URL": "http://x"], "backend 'example': EXAMPLE_URL is 'http://x'; it must be ws://... or wss://..."),
        (["EXAMPLE_URL": "ws://x", "EXAMPLE_PORTS": "11"], "backend 'example': EXAMPLE_PORTS is '11'; it must be whole number 1...10"),
    ])
    func aWrongSettingIsNamedWithBackendFieldAndReason(_ variables: [String: String], _ message: String) throws {
        let error = try #require(throws: BackendError.self) { try settings(variables) }
        #expect(error.description == message)
    }

    @Test func optionsOfAnAgentFileAreCheckedToo() throws {
        let settings = try settings(["EXAMPLE_URL": "ws://host"])
        let merged = try settings.with(options: ["follow": "speaker", "names": "a, b,,c "], of: backend)
        #expect(merged.text("follow") == "speaker")
        #expect(merged.list("names") == ["a", "b", "c"])
        let wrong = try #require(throws: BackendError.self) { try settings.with(options: ["follow": "all"], of: backend) }
        #expect(wrong.description == "backend 'example': follow is 'all'; it must be first or speaker")
        let unknown = try #require(throws: BackendError.self) { try settings.with(options: ["url": "ws://evil"], of: backend) }
        #expect(unknown.description == "backend 'example': url is not an option of this backend; its options are follow, names")
    }

    @Test func namesAreUniqueAndPlain() throws {
        var registry = BackendRegistry()
        try registry.register(backend)
        #expect(throws: BackendError.self) { try registry.register(backend) }
        #expect(throws: BackendError.self) { try registry.register(ExampleBackend(name: "An Example")) }
        let error = try #require(throws: BackendError.self) { try registry.backend(named: "livekit") }
        #expect(error.description == "backend 'livekit': is not known; there are: example")
    }

    @Test func capabilitiesHaveNames() {
        #expect(backend.capabilities.byName["dtmf"] == true)
        #expect(backend.capabilities.byName["video"] == false)
        #expect(backend.capabilities.byName.count == 6)
    }
}

import HTTPClient
import NIOCore
import ProviderSimulator
import Testing
import WireCoding

@Suite(.timeLimit(.minutes(1))) struct SimulatorTests {
    @Test func readsItsOwnExample() throws {
        let configuration = try SimulatorConfiguration(yaml: SimulatorConfiguration.example)
        #expect(configuration.port == 8_090)
        #expect(
            configuration.recognition.script.last == ScriptedUtterance("My name is Anna.", speechMilliseconds: 1_200))
        #expect(configuration.language.rules.first?.calls.first?.name == "record_lead")
        #expect(configuration.faults.script[.openai] == [.status(429, retryAfter: 1)])
        #expect(configuration.faults.chances[.openai]?.first?.probability == 0.05)
    }

    @Test(arguments: [
        ("prot: 1", "prot"), ("stt: {finals: 1}", "stt.finals"), ("llm: {rules: [{answer: x}]}", "match"),
        ("port: soon", "port"),
        ("faults: {openai: [{kind: explode}]}", "explode"), ("faults: {google: []}", "google"),
        ("tts: {first_byte_ms: {median: 5}}", "first_byte_ms"),
        ("- a", "mapping"), ("a: [", "YAML"),
    ])
    func aMistakeIsNamed(yaml: String, word: String) {
        let error = #expect(throws: SimulatorConfigurationError.self) { try SimulatorConfiguration(yaml: yaml) }
        #expect(error?.description.contains(word) == true, "\(error?.description ?? "")")
    }

    @Test func everyWordSoundsAtItsPlaceAndUnlikeOthers() {
        let (words, count) = ToneVoice.layout("Hello there, Anna.", rate: 16_000)
        let samples = ToneVoice.render("Hello there, Anna.", rate: 16_000)
        #expect(words.map(\.text) == ["Hello", "there,", "Anna."] && samples.count == count)
        for word in words {
            #expect(samples[word.start..<word.end].contains { abs(Int($0)) > 3_000 })
            #expect(samples[word.end..<min(word.end + 700, count)].allSatisfy { $0 == 0 })
        }
        #expect(ToneVoice.burst("Hello", rate: 16_000) != ToneVoice.burst("Hallo", rate: 16_000))
    }

    @Test func scriptsFaultsAndCountsGoOverTheControlInterface() async throws {
        try await withSimulator { simulator in
            let client = HTTPClient()
            func post(_ path: String, _ body: String) async throws -> Int {
                try await client.send(
                    HTTPRequest("POST", simulator.url + path, body: ByteBuffer(string: body)), on: loop
                ).head.status
            }
            #expect(try await post("/control/script", #"{"utterances":["a",{"text":"b","speech_ms":5}]}"#) == 200)
            #expect(try await post("/control/script", #"{"utterances":[{}]}"#) == 400)
            #expect(try await post("/control/faults", #"{"vendor":"openai","faults":[{"kind":"refuse"}]}"#) == 200)
            #expect(try await post("/control/faults", #"{"vendor":"google","faults":[]}"#) == 400)
            #expect(try await post("/nothing", "") == 404)
            let answer = try await client.send(HTTPRequest("GET", simulator.url + "/control/statistics"), on: loop)
            #expect(try JSONDocument(answer.body).root["finals"].int == 0)
            client.shutDown()
        }
    }

    @Test func theSameSeedDrawsTheSameFaults() async throws {
        func statuses() async throws -> [Int] {
            var statuses: [Int] = []
            try await withSimulator {
                $0.seed = 9
                $0.faults.chances[.openai] = [.init(.status(503, retryAfter: nil), probability: 0.5)]
            } _: { simulator in
                let client = HTTPClient()
                let body = ByteBuffer(string: #"{"model":"m","messages":[{"role":"user","content":"x"}]}"#)
                for _ in 0..<12 {
                    let request = HTTPRequest(
                        "POST", simulator.url + "/v1/chat/completions",
                        headers: [("authorization", "Bearer simulator")], body: body)
                    statuses.append(try await client.send(request, on: loop).head.status)
                }
                client.shutDown()
            }
            return statuses
        }
        let first = try await statuses()
        #expect(Set(first) == [200, 503])
        // The model's latencies draw from the same dice, so the sequence is that of a run, not of the probability alone.
        #expect(try await statuses() == first)
    }
}

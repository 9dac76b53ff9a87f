import NIOCore
import Testing
import WireCoding

@Suite struct JSONTests {
    @Test func readsPathsWithoutChecks() throws {
        let json = try JSONDocument(
            #" {"type":"Results","channel":{"alternatives":[{"transcript":"a \"b\" \u00e9\ud83d\ude00\n","confidence":0.5}]},"n":-12,"t":true,"z":null,"n":7} "#
        ).root
        let alternative = json["channel"]["alternatives"][0]
        #expect(alternative["transcript"].string == "a \"b\" é😀\n")
        #expect(alternative["confidence"].double == 0.5)
        #expect(json["n"].int == 7)  // the last one counts
        #expect(json["t"].bool == true && json["z"].isNull && json["z"].exists)
        #expect(!json["channel"]["alternatives"][1]["transcript"].exists)
        #expect(json["type"].equals("Results") && !json["type"].equals("Result"))
        #expect(json[member: "type"].string == "Results")
        #expect(json.members.map(\.key) == ["type", "channel", "n", "t", "z", "n"])
    }

    @Test(arguments: [
        "", "{", "[1,]", "{\"a\":}", "{\"a\" 1}", "{a:1}", "\"open", "tru", "1 2", "[1}", "-", "\"\u{1}\"",
        String(repeating: "[", count: 10_000),
    ])
    func refusesWhatIsNotJSON(text: String) {
        #expect(throws: JSONError.self) { try JSONDocument(text) }
    }

    @Test func numbersBeyondIntAreNotInts() throws {
        let json = try JSONDocument("[1e3, 1.5, 99999999999999999999, 1e999, -0]").root
        #expect(json.elements.map(\.int) == [1000, nil, nil, nil, 0])
        #expect(json.doubles[1] == 1.5)
    }

    @Test func everyCutOfAMessageIsAnErrorNotATrap() throws {
        let text = #"{"a":[1,2.5e-3,{"b":"x\u00e9\\"}],"c":false}"#
        for length in 0..<text.utf8.count {
            #expect(throws: JSONError.self) {
                try JSONDocument(String(decoding: text.utf8.prefix(length), as: UTF8.self))
            }
        }
        var random = SplitMix(state: 3)
        for _ in 0..<2_000 {
            var bytes = Array(text.utf8)
            bytes[Int.random(in: 0..<bytes.count, using: &random)] = .random(in: 0...255, using: &random)
            guard let document = try? JSONDocument(ByteBuffer(bytes: bytes)) else { continue }
            _ = document.root["a"][2]["b"].string
        }
    }

    @Test func whatIsWrittenReadsBack() throws {
        var writer = JSONWriter()
        let text = "quote \" backslash \\ newline \n bell \u{7} ü 漢 😀"
        writer.object {
            $0.member("text", text)
            $0.memberArray("list") {
                $0.int(1)
                $0.double(0.25)
                $0.double(.infinity)
                $0.object { $0.member("deep", true) }
            }
            $0.key("schema")
            $0.raw(#"{"type":"object"}"#)
            $0.memberNull("none")
        }
        let json = try JSONDocument(writer.buffer).root
        #expect(json["text"].string == text)
        #expect(json["list"][3]["deep"].bool == true && json["list"][2].isNull)
        #expect(json["schema"]["type"].equals("object") && json["none"].isNull)
    }
}

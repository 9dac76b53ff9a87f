import HTTPClient
import NIOCore
import Testing

@Suite struct ServerSentEventTests {
    private func parse(_ chunks: [String]) throws -> [String] {
        var parser = ServerSentEventParser()
        var events: [String] = []
        func note(_ event: ServerSentEvent) {
            events.append((event.name.map { String(buffer: $0) + "=" } ?? "") + String(buffer: event.data))
        }
        for chunk in chunks {
            parser.append(ByteBuffer(string: chunk))
            while let event = try parser.next() { note(event) }
        }
        if let event = try parser.finish() { note(event) }
        return events
    }

    @Test func readsTheFieldsThatMatter() throws {
        let stream =
            "\u{FEFF}: hello\n\ndata: one\n\nevent: delta\ndata:two\nid: 3\nretry: 5\n\ndata: a\ndata:  b\ndata\n\nevent: empty\n\n"
        #expect(try parse([stream]) == ["one", "delta=two", "a\n b\n"])
    }

    @Test func everyCutOfTheStreamGivesTheSameEvents() throws {
        let stream =
            ": OPENROUTER PROCESSING\r\n\r\nevent: x\r\ndata: {\"a\":1}\r\ndata: ü\r\n\r\ndata: two\n\ndata: three\r\rdata: [DONE]\n\n"
        let whole = try parse([stream])
        #expect(whole == ["x={\"a\":1}\nü", "two", "three", "[DONE]"])
        let bytes = Array(stream.utf8)
        for cut in 1..<bytes.count {
            var parser = ServerSentEventParser()
            var events: [String] = []
            for part in [bytes[..<cut], bytes[cut...]] {
                parser.append(ByteBuffer(bytes: part))
                while let event = try parser.next() {
                    events.append((event.name.map { String(buffer: $0) + "=" } ?? "") + String(buffer: event.data))
                }
            }
            #expect(events == whole, "cut at \(cut)")
        }
        #expect(try parse(bytes.map { String(decoding: [$0], as: UTF8.self) }.map { $0 }).count == whole.count)
    }

    @Test func theEndDeliversWhatItCutsOff() throws {
        #expect(try parse(["data: last"]) == ["last"])
        #expect(try parse(["data: last\n"]) == ["last"])
        #expect(try parse(["event: nothing\n"]).isEmpty)
    }

    @Test func anEndlessLineIsAnErrorNotMemory() {
        var parser = ServerSentEventParser()
        let chunk = ByteBuffer(repeating: 0x41, count: 100_000)
        #expect(throws: ServerSentEventError.self) {
            for _ in 0..<20 {
                parser.append(chunk)
                _ = try parser.next()
            }
        }
    }
}

import Foundation
import Logging
import Synchronization
import Telemetry
import Testing

@Suite struct LogTests {
    private final class Sink: Sendable {
        private let bytes = Mutex<[UInt8]>([])
        func write(_ more: [UInt8]) { bytes.withLock { $0 += more } }
        var text: String { bytes.withLock { String(decoding: $0, as: UTF8.self) } }
    }

    private struct Fixture {
        let sink = Sink()
        let writer: LogWriter
        var logger: Logger

        init(_ settings: LogSettings, label: String = "dispatcher") {
            let writer = LogWriter(
                describeLoss: { LogWriter.lossLine(settings, lines: $0, errors: $1, time: 0) }, sink: sink.write)
            self.writer = writer
            logger = Logger(label: label) {
                StructuredLogHandler(label: $0, settings: settings, writer: writer, now: { 1_763_706_780_123 })
            }
        }

        func lines() throws -> [[String: any Sendable]] {
            writer.flush()
            return try sink.text.split(separator: "\n").map { line in
                let object = try JSONSerialization.jsonObject(with: Data(line.utf8))
                return try #require(object as? [String: any Sendable])
            }
        }
    }

    @Test func aLineIsOneJSONObjectWithItsMetadata() throws {
        var fixture = Fixture(LogSettings(service: "dispatcher"))
        fixture.logger[metadataKey: "tenant"] = "acme"
        fixture.logger.warning(
            "odd \"input\"\nfrom \u{1} a caller",
            metadata: [
                "session": "eu.3.abc", "count": .stringConvertible(3), "late": .stringConvertible(true),
                "parts": ["a", "b"], "level": "x",
            ]
        )
        fixture.logger.debug("below the level")
        let lines = try fixture.lines()
        #expect(lines.count == 1)
        let line = try #require(lines.first)
        #expect(line["ts"] as? String == "2025-11-21T06:33:00.123Z")
        #expect(line["level"] as? String == "warning")
        #expect(line["service"] as? String == "dispatcher")
        #expect(line["msg"] as? String == "odd \"input\"\nfrom \u{1} a caller")
        #expect(line["tenant"] as? String == "acme")
        #expect(line["session"] as? String == "eu.3.abc")
        #expect(line["count"] as? Int == 3)
        #expect(line["late"] as? Bool == true)
        #expect(line["parts"] as? [String] == ["a", "b"])
        #expect(line["meta_level"] as? String == "x")
        #expect(line["logger"] == nil)
    }

    @Test func anotherLoggerOfTheProcessIsNamed() throws {
        let fixture = Fixture(LogSettings(service: "dispatcher"), label: "relay")
        fixture.logger.info("hello")
        #expect(try fixture.lines().first?["logger"] as? String == "relay")
    }

    @Test func textLinesCannotForgeOtherLines() {
        let fixture = Fixture(LogSettings(service: "dispatcher", format: .text))
        fixture.logger.info("first\n06:33 ERROR forged \u{1B}[31m", metadata: ["b": "2", "a": "x\ny"])
        fixture.writer.flush()
        #expect(fixture.sink.text == "06:33:00.123 INFO     dispatcher: first\\n06:33 ERROR forged ?[31m a=x\\ny b=2\n")
    }

    @Test func wordsOfACallerAreRedactedUnlessAskedFor() throws {
        let hidden = Fixture(LogSettings(service: "worker", level: .debug))
        hidden.logger.debugWords("turn", words: "my name is Smith")
        #expect(!hidden.sink.text.contains("Smith"))
        #expect(try hidden.lines().first?["words"] as? String == "[personal, 16 characters]")

        let shown = Fixture(LogSettings(service: "worker", level: .debug, personal: true))
        shown.logger.debugWords("turn", words: "my name is Smith")
        shown.logger.info("turn", metadata: ["nested": ["words": .personal("Smith again")]])
        let lines = try shown.lines()
        #expect(lines.first?["words"] as? String == "my name is Smith")
        #expect((lines.last?["nested"] as? [String: any Sendable])?["words"] as? String == "[personal, 11 characters]")
    }

    @Test func aFullLogDropsAndSaysHowMuch() throws {
        let settings = LogSettings(service: "worker")
        let sink = Sink()
        let started = DispatchSemaphore(value: 0)
        let mayWrite = DispatchSemaphore(value: 0)
        let writer = LogWriter(
            capacity: 100, describeLoss: { LogWriter.lossLine(settings, lines: $0, errors: $1, time: 0) },
            sink: { bytes in
                started.signal()
                mayWrite.wait()
                sink.write(bytes)
            })
        func line(_ letter: Character) -> [UInt8] { Array((String(repeating: letter, count: 49) + "\n").utf8) }
        writer.write(line("a"), isError: false)
        started.wait()
        // The writer is stuck with the first line: two more fit, then only an error that fits the reserve.
        writer.write(line("b"), isError: false)
        writer.write(line("c"), isError: false)
        writer.write(line("d"), isError: false)
        writer.write(Array("error in reserve\n".utf8), isError: true)
        writer.write(line("e"), isError: true)
        #expect(writer.unreportedLosses == 2)
        mayWrite.signal()
        mayWrite.signal()
        writer.flush()
        let text = sink.text
        #expect(text.contains("b\n") && text.contains("c\n") && text.contains("error in reserve\n"))
        #expect(!text.contains("d\n") && !text.contains("eee"))
        #expect(text.contains("\"dropped\":2") && text.contains("\"dropped_errors\":1"))
        #expect(writer.unreportedLosses == 0)
    }

    @Test func settingsComeFromTheEnvironment() {
        let (settings, problems) = LogSettings.fromEnvironment(
            ["PARLEY_LOG_LEVEL": "WARN", "PARLEY_LOG_FORMAT": "text", "PARLEY_LOG_PERSONAL": "1"], service: "x",
            isTerminal: false)
        #expect(settings == LogSettings(service: "x", level: .warning, format: .text, personal: true))
        #expect(problems.isEmpty)
    }

    @Test func settingsThatAreNotUnderstoodLeaveTheDefaultAndAreNamed() {
        let (settings, problems) = LogSettings.fromEnvironment(
            ["PARLEY_LOG_LEVEL": "loud", "PARLEY_LOG_FORMAT": "xml"], service: "x", isTerminal: true)
        #expect(settings == LogSettings(service: "x", level: .info, format: .text))
        #expect(problems.count == 2)
        #expect(problems.first?.contains("'loud'") == true)
        #expect(problems.last?.contains("json, text") == true)
    }

    @Test(
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"), (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_709_251_199_999, "2024-02-29T23:59:59.999Z"), (4_102_444_800_000, "2100-01-01T00:00:00.000Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"), (-1, "1969-12-31T23:59:59.999Z"),
        ] as [(Int64, String)])
    func timestampsFollowTheCalendar(milliseconds: Int64, expected: String) {
        #expect(Timestamp.rfc3339(milliseconds: milliseconds) == expected)
    }
}

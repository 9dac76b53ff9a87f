import ArgumentParser
import Testing

@testable import ParleyCommands

@Suite struct BenchRoomsTests {
    @Test func theOptionsAreRead() throws {
        let options = try RoomsOptions.parse(["--rooms", "1, 25", "--churn", "500", "--python", "/venv/bin/python"])
        #expect(options.counts == [1, 25] && options.churn == 500 && options.takeovers == 0)
        #expect(options.python == "/venv/bin/python")
        #expect(try RoomsOptions.parse(["--rooms", "0"]).counts.isEmpty)
        #expect(RoomsOptions.frame(rooms: 1) == 10 && RoomsOptions.frame(rooms: 25) == 20)
    }

    @Test(arguments: [
        (["--rooms", "1,many"], "--rooms has 'many'"), (["--rooms", "1,"], "--rooms has ''"), (["--rooms", "-1"], "--rooms"),
        (["--churn", "-5"], "--churn"), (["--worker-core", "1"], "must differ"), (["--turns", "0"], "--turns"),
    ])
    func whatCannotBeMeasuredIsRefused(arguments: [String], reason: String) {
        do {
            _ = try RoomsOptions.parse(arguments)
            Issue.record("\(arguments) was accepted")
        } catch { #expect(RoomsOptions.message(for: error).contains(reason)) }
    }

    @Test func aLineOfTheCallersIsAnEvent() throws {
        let event = try RoomEvent(line: #"{"event": "agent-left", "caller": 3, "at": 12.5, "more": 1}"#)
        #expect(event == RoomEvent(.agentLeft, caller: 3, at: 12.5))
        #expect(throws: CommandError.self) { try RoomEvent(line: #"{"event": "sang", "caller": 3, "at": 12.5}"#) }
        #expect(throws: CommandError.self) { try RoomEvent(line: "Traceback") }
    }

    @Test func theFirstEventAfterAMomentIsFound() {
        let events = [RoomEvent(.audible, caller: 0, at: 1), .init(.silent, caller: 0, at: 2), .init(.audible, caller: 0, at: 3), .init(.audible, caller: 0, at: 5)]
        #expect(events.first(.audible, after: 1)?.at == 3)
        #expect(events.first(.silent, after: 0)?.at == 2)
        #expect(events.first(.audible, after: 5) == nil)
    }

    @Test func aTakeoverIsWhatTheCallerNotices() {
        let events = [
            RoomEvent(.streamBegins, caller: 0, at: 1), .init(.audible, caller: 0, at: 1.1), .init(.agentLeft, caller: 0, at: 10.9),
            .init(.agentJoined, caller: 0, at: 10.95), .init(.streamEnds, caller: 0, at: 10.875), .init(.streamBegins, caller: 0, at: 11),
            .init(.audible, caller: 0, at: 11.25),
        ]
        let handover = RoomHandover(events, at: 10)
        #expect(handover.audible.map { $0.rounded() } == 1_250 && handover.gap.map { $0.rounded() } == 125)
        #expect(handover.absence.map { $0.rounded() } == 50)
        #expect(RoomHandover(events, at: 20).audible == nil)
    }

    @Test func aMeasureSaysWhetherItsTargetIsReached() {
        let values = (1...100).map(Double.init)
        #expect(RoomsMeasure("join", values, .p50(51), .p95(96)).line == "  join: p50 50, p95 95, max 100 ms (100); target p50 < 51, p95 < 96: reached")
        #expect(RoomsMeasure("join", values, .p50(51), .p95(95)).line.hasSuffix(": MISSED"))
        #expect(RoomsMeasure("join", [], .p95(95)).line == "  join: p50 -, p95 -, max - ms (0); target p95 < 95: not measured")
        #expect(RoomsMeasure("join", [3]).line == "  join: p50 3, p95 3, max 3 ms (1)")
    }

    @Test func aTableOfWhatAWorkerHolds() {
        let footprint = RoomsFootprint(residentBytes: 50 << 20, threads: 21, descriptors: 33, handles: 4, sessions: 1)
        #expect(footprint.row(joins: 100) == "    100     50.0       21           33        4         1")
        #expect(footprint.row(joins: 100).count == RoomsFootprint.header.count)
    }
}

import SessionLog
import SwiftProtobuf
import Testing

@testable import DispatcherService

struct ReaperPlanTests {
    private let opened = Event.OneOf_Body.opened(.with { $0.agent = "tea" })
    private let claimed = Event.OneOf_Body.claimed(.with { $0.worker = "worker-1" })
    private let attached = Event.OneOf_Body.attached(.with { $0.attachment = "a" })

    private func state(_ bodies: [Event.OneOf_Body]) -> SessionState {
        SessionState(
            bodies.enumerated().map { offset, body in
                .with {
                    $0.fence = 5
                    $0.sequence = UInt64(offset + 1)
                    $0.position = Int64(offset) * 1600
                    $0.leg = 1
                    $0.body = body
                }
            })
    }

    private func events(_ bodies: [Event.OneOf_Body], lastOwner: String = "worker-1") -> [Event] {
        ReaperPlan(state(bodies), lastOwner: lastOwner).events(
            fence: 9, firstSequence: UInt64(bodies.count + 1), worker: "reaper-1", previousFence: 5, wallClock: 1234)
    }

    private func closing(_ bodies: [Event.OneOf_Body], lastOwner: String = "worker-1") -> Closed {
        ReaperPlan(state(bodies), lastOwner: lastOwner).closing
    }

    @Test func `it writes as an owner does: a claim first, the end last, in order and under its fence`() {
        let events = events([opened, claimed, attached])
        #expect(events.map(\.sequence) == [4, 5])
        #expect(events.allSatisfy { $0.fence == 9 && $0.version == Event.currentVersion && $0.wallClockMs == 1234 })
        #expect(events.allSatisfy { $0.position == 3200 })
        #expect(events.first?.claimed.worker == "reaper-1")
        #expect(events.first?.claimed.previousFence == 5)
        #expect(events.last?.closed.by == "reaper")
    }

    @Test func `a session that no worker ever had ends as one whose caller left`() {
        let closing = closing([opened], lastOwner: "")
        #expect(closing.reason == "client_disconnected")
        #expect(closing.detail == "gone before the session began")
    }

    @Test func `a reaper that had claimed it before does not count as a worker`() {
        let earlier = Event.OneOf_Body.claimed(.with { $0.worker = "reaper-0" })
        #expect(closing([opened, earlier], lastOwner: "reaper-0").detail == "gone before the session began")
    }

    @Test func `a session whose caller was gone ends as such, whoever owned it`() {
        let detached = Event.OneOf_Body.detached(.with { $0.attachment = "a" })
        #expect(closing([opened, claimed, attached, detached]).reason == "client_disconnected")
        let again = Event.OneOf_Body.attached(.with { $0.attachment = "b" })
        #expect(closing([opened, claimed, attached, detached, again]).reason == "lost")
    }

    @Test(arguments: [true, false])
    func `a session whose worker died is lost, also when it died before its first event`(logged: Bool) {
        #expect(closing(logged ? [opened, claimed, attached] : [opened]).reason == "lost")
    }

    @Test func `calls without an outcome get an unknown one, the others nothing`() {
        let calls: [Event.OneOf_Body] = ["1", "2"].map { id in .toolCalled(.with { $0.call = id }) }
        let returned = Event.OneOf_Body.toolReturned(.with { $0.call = "1" })
        let written = events([opened, claimed] + calls + [returned])
        #expect(written.count == 3)
        #expect(written[1].toolReturned.call == "2")
        #expect(written[1].toolReturned.outcome == .toolUnknown)
    }

    @Test func `an open reply ends as interrupted, with what is known to have been heard and how far that may be off`()
    {
        let reply: [Event.OneOf_Body] = [
            .replyStarted(.with { $0.reply = 1 }),
            .sentence(
                .with {
                    $0.reply = 1
                    $0.text = "One two."
                }),
            .sentenceAudio(
                .with {
                    $0.reply = 1
                    $0.samples = 16_000
                }),
        ]
        let unknown = events([opened, claimed] + reply)[1].heard
        #expect((unknown.samples, unknown.text, unknown.error, unknown.interrupted) == (0, "", 16_000, true))
        let report = Event.OneOf_Body.heard(
            .with {
                $0.reply = 1
                $0.samples = 8_000
                $0.text = "One"
                $0.error = 100
            })
        let known = events([opened, claimed] + reply + [report])[1].heard
        #expect((known.samples, known.text, known.error, known.interrupted) == (8_000, "One", 8_000, true))
        #expect(!known.complete)
    }

    @Test func `a reply that was heard to its end is left as it is`() {
        let reply: [Event.OneOf_Body] = [
            .replyStarted(.with { $0.reply = 1 }),
            .heard(
                .with {
                    $0.reply = 1
                    $0.complete = true
                }),
        ]
        #expect(events([opened, claimed] + reply).count == 2)
    }

    @Test func `of a log with an end that end is repeated`() {
        let closed = Event.OneOf_Body.closed(
            .with {
                $0.reason = "hang_up"
                $0.by = "worker"
            })
        let call = Event.OneOf_Body.toolCalled(.with { $0.call = "1" })
        let written = events([opened, claimed, call, closed])
        #expect(written.count == 2)
        #expect(written.last?.closed.reason == "hang_up")
        #expect(written.last?.closed.by == "worker")
    }
}

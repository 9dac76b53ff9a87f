import SwiftProtobuf
import Testing

@testable import LiveKitDispatch

/// Jobs that are ours, from the start of their sessions to their end.
struct SessionStartTests {
    // MARK: Start

    @Test func aStartThatFailsIsTriedAgainUntilItsTimeIsOver() throws {
        var run = RegistrationRun.registered()
        run.offerAndAccept("AJ_1")
        run.assign("AJ_1")
        let start = run.now
        var attempts = 1
        var last: [AgentRegistration.Action] = []
        while !run.registration.isSettled {
            last = run.handle(.startFailed("AJ_1", AgentStartError("all media workers are full", isFinal: false)))
            if !run.pass(.milliseconds(300)).begun.isEmpty { attempts += 1 }
        }
        #expect(attempts > 50)
        #expect(run.now - start <= run.registration.settings.startWithin + .milliseconds(300))
        #expect(last.counted == [.failed])
        let status = try #require(last.statuses.first)
        #expect(status.status == .jsFailed && status.error == "all media workers are full")
    }

    @Test func aStartMaySucceedLater() {
        var run = RegistrationRun.registered()
        run.offerAndAccept("AJ_1")
        run.assign("AJ_1")
        let failed = run.handle(.startFailed("AJ_1", AgentStartError("full", isFinal: false)))
        #expect(failed.statuses.isEmpty && failed.counted.isEmpty)
        #expect(run.pass(.milliseconds(200)).begun.isEmpty)
        #expect(run.pass(.milliseconds(100)).begun.count == 1)
        #expect(run.handle(.started("AJ_1")).statuses.map(\.status) == [.jsRunning])
    }

    @Test func aFinalErrorIsNotTriedAgain() {
        var run = RegistrationRun.registered()
        run.offerAndAccept("AJ_1")
        run.assign("AJ_1")
        let actions = run.handle(.startFailed("AJ_1", AgentStartError("no such agent", isFinal: true)))
        #expect(actions.statuses.map(\.error) == ["no such agent"])
        #expect(run.pass(.seconds(1)).begun.isEmpty)
    }

    @Test func drainingLetsTheAcceptedOnesStart() {
        var run = RegistrationRun.registered()
        run.offerAndAccept("AJ_1")
        run.handle(.drain)
        #expect(!run.registration.isSettled)
        #expect(run.assign("AJ_1").begun.count == 1)
        #expect(!run.registration.isSettled)
        run.handle(.started("AJ_1"))
        #expect(run.registration.isSettled)
    }

    // MARK: End

    @Test func anErrorIsReportedWithTheEnd() {
        var run = RegistrationRun.registered()
        run.runJob("AJ_1")
        let status = run.handle(.ended("AJ_1", error: "the session was lost")).statuses.first
        #expect(status?.status == .jsFailed && status?.error == "the session was lost")
        #expect(run.handle(.ended("AJ_1", error: nil)).isEmpty)
    }

    @Test func aSessionMayEndBeforeItsStartIsKnown() {
        var run = RegistrationRun.registered()
        run.offerAndAccept("AJ_1")
        run.assign("AJ_1")
        #expect(run.handle(.ended("AJ_1", error: nil)).statuses.map(\.status) == [.jsSuccess])
        #expect(run.handle(.started("AJ_1")).statuses.isEmpty)
    }

    @Test func theOwnerIsToldOfATermination() throws {
        var run = RegistrationRun.registered()
        run.runJob("AJ_1")
        run.pass(.seconds(5))
        let actions = run.handle(.received(.with { $0.termination.jobID = "AJ_1" }))
        let termination = try #require(actions.told.first)
        #expect(termination.assignment.job.id == "AJ_1" && termination.assignment.workerID == "AW_1")
        #expect(termination.runningFor == .seconds(5) && !termination.isEarly)
        // It is the owner's to end.
        #expect(run.registration.assignedJobs == ["AJ_1"])
        #expect(run.handle(.received(.with { $0.termination.jobID = "AJ_9" })).told.isEmpty)
    }

    @Test func aTerminationBeforeTheAssignmentFreesThePlace() {
        var run = RegistrationRun.registered(free: 1)
        run.offerAndAccept("AJ_1")
        run.handle(.received(.with { $0.termination.jobID = "AJ_1" }))
        #expect(run.offerAndAccept("AJ_2").answers.map(\.available) == [true])
    }

    @Test func aTerminationWhileTheSessionStartsIsToldWhenItRuns() {
        var run = RegistrationRun.registered()
        run.offerAndAccept("AJ_1")
        run.assign("AJ_1")
        #expect(run.handle(.received(.with { $0.termination.jobID = "AJ_1" })).told.isEmpty)
        #expect(run.handle(.started("AJ_1")).told.map(\.isEarly) == [true])

        run.offerAndAccept("AJ_2")
        run.assign("AJ_2")
        run.handle(.received(.with { $0.termination.jobID = "AJ_2" }))
        run.handle(.startFailed("AJ_2", AgentStartError("full", isFinal: false)))
        #expect(run.pass(.seconds(1)).begun.isEmpty)
        #expect(run.registration.jobs["AJ_2"] == nil)
    }

    @Test func aTerminationBetweenTwoAttemptsEndsThem() {
        var run = RegistrationRun.registered()
        run.offerAndAccept("AJ_1")
        run.assign("AJ_1")
        run.handle(.startFailed("AJ_1", AgentStartError("full", isFinal: false)))
        #expect(run.handle(.received(.with { $0.termination.jobID = "AJ_1" })).counted == [.failed])
        #expect(run.pass(.seconds(1)).begun.isEmpty)
    }

    // MARK: Without a connection

    @Test func runningJobsOutliveTheConnectionAndAreNamedToTheNextServer() throws {
        var run = RegistrationRun.registered()
        run.runJob("AJ_1")
        run.offerAndAccept("AJ_2")
        run.assign("AJ_2")
        run.offerAndAccept("AJ_3")
        run.handle(.closed("gone"))
        #expect(run.registration.assignedJobs == ["AJ_1", "AJ_2"])
        // Not assigned: the server asks somebody else for it.
        #expect(run.registration.jobs["AJ_3"] == nil)
        while !run.pass(.milliseconds(100)).connects {}
        run.handle(.opened)
        let messages = run.register(workerID: "AW_2").messages
        guard case .migrateJob(let request) = messages.first else {
            Issue.record("expected the jobs first, not \(messages)")
            return
        }
        #expect(request.jobIds == ["AJ_1", "AJ_2"])
        #expect(messages.count == 2)
    }

    @Test func whatHappensToJobsMeanwhileIsReportedOnce() {
        var run = RegistrationRun.registered()
        run.runJob("AJ_1")
        run.offerAndAccept("AJ_2")
        run.assign("AJ_2")
        run.handle(.closed("gone"))
        #expect(run.handle(.started("AJ_2")).messages.isEmpty)
        #expect(run.handle(.ended("AJ_1", error: nil)).messages.isEmpty)
        while !run.pass(.milliseconds(100)).connects {}
        run.handle(.opened)
        let statuses = run.register(workerID: "AW_2").statuses
        #expect(statuses.map(\.jobID) == ["AJ_2", "AJ_1"])
        #expect(statuses.map(\.status) == [.jsRunning, .jsSuccess])
        #expect(run.pass(.seconds(30)).statuses.isEmpty)
        #expect(run.registration.assignedJobs == ["AJ_2"])
    }

    @Test func aJobThatWasLostWithTheConnectionMayBeOfferedAgain() {
        var run = RegistrationRun.registered()
        run.offerAndAccept("AJ_1")
        run.handle(.closed("gone"))
        while !run.pass(.milliseconds(100)).connects {}
        run.handle(.opened)
        run.register(workerID: "AW_2")
        #expect(run.offerAndAccept("AJ_1").answers.map(\.available) == [true])
        #expect(run.assign("AJ_1").begun.first?.workerID == "AW_2")
    }

    @Test func whatIsKeptForTheServerIsBounded() {
        var run = RegistrationRun.registered(free: 5_000)
        for number in 0..<1_500 { run.runJob("AJ_\(number)") }
        run.handle(.closed("gone"))
        for number in 0..<1_500 { run.handle(.ended("AJ_\(number)", error: nil)) }
        #expect(run.registration.running.isEmpty)
        #expect(run.registration.unreported.count == 1_000)
        #expect(run.registration.unreported.last?.jobID == "AJ_1499")
    }
}

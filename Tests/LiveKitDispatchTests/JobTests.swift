import Cryptography
import SwiftProtobuf
import Testing

@testable import LiveKitDispatch

/// Jobs, from the offer to the assignment.
struct JobTests {
    @Test func aJobIsAskedAboutAcceptedAssignedAndRun() throws {
        var run = RegistrationRun.registered()
        let offered = run.offer("AJ_1")
        #expect(offered == [.count(.offered), .ask(AgentJob(RegistrationRun.job("AJ_1")))])
        let answer = try #require(
            run.handle(.answered("AJ_1", .accept(AgentParticipant(identity: "anna", name: "Anna", metadata: "m", attributes: ["a": "b"]))))
                .answers.first)
        #expect(answer.available && !answer.terminate)
        #expect(answer.jobID == "AJ_1" && answer.participantIdentity == "anna" && answer.participantName == "Anna")
        #expect(answer.participantMetadata == "m")
        #expect(answer.participantAttributes == ["a": "b", "lk.agent.name": "lead"])

        let assignment = try #require(run.assign("AJ_1", token: "secret").begun.first)
        #expect(assignment.job.room == AgentJob.Room(sid: "RM_1", name: "call-1", metadata: "of the room"))
        #expect(assignment.job.metadata == "{\"lead\": 7}" && assignment.job.attributes == ["tier": "gold"])
        #expect(assignment.job.dispatchID == "AD_1")
        #expect(assignment.token.revealed == "secret" && assignment.url == "ws://livekit:7880")
        #expect(assignment.participant.identity == "anna" && assignment.workerID == "AW_1")

        let running = run.handle(.started("AJ_1"))
        #expect(running.statuses.map(\.status) == [.jsRunning] && running.counted == [.started])
        let ended = run.handle(.ended("AJ_1", error: nil))
        #expect(ended.statuses.map(\.status) == [.jsSuccess])
        #expect(run.registration.jobs.isEmpty && run.registration.running.isEmpty)
    }

    @Test func identityAndNameHaveDefaults() throws {
        var run = RegistrationRun.registered()
        let answer = try #require(run.offerAndAccept("AJ_1").answers.first)
        #expect(answer.participantIdentity == "agent-AJ_1")
        #expect(answer.participantAttributes == ["lk.agent.name": "lead"])
    }

    @Test func theAssignmentMayNameAnotherServer() throws {
        var run = RegistrationRun.registered()
        run.offerAndAccept("AJ_1")
        #expect(run.assign("AJ_1", url: "wss://node-7").begun.first?.url == "wss://node-7")
    }

    @Test(arguments: [false, true])
    func whatTheOwnerDoesNotWantIsRefused(isFinal: Bool) throws {
        var run = RegistrationRun.registered()
        run.offer("AJ_1")
        let actions = run.handle(.answered("AJ_1", .refuse(isFinal: isFinal)))
        let answer = try #require(actions.answers.first)
        #expect(!answer.available && answer.terminate == isFinal)
        #expect(actions.counted == [.refused])
        #expect(run.registration.jobs.isEmpty)
    }

    @Test func anOwnerThatDoesNotAnswerInTimeHasRefused() {
        var run = RegistrationRun.registered()
        run.offer("AJ_1")
        #expect(run.pass(.milliseconds(2_400)).answers.isEmpty)
        let actions = run.pass(.milliseconds(100))
        #expect(actions.answers.map(\.available) == [false] && actions.counted == [.expired])
        #expect(run.handle(.answered("AJ_1", .accept(AgentParticipant()))).answers.isEmpty)
    }

    @Test func aJobThatIsHereAlreadyIsRefused() {
        var run = RegistrationRun.registered()
        run.offer("AJ_1")
        #expect(run.offer("AJ_1").answers.map(\.available) == [false])
        #expect(run.handle(.answered("AJ_1", .accept(AgentParticipant()))).answers.map(\.available) == [true])
        #expect(run.offer("AJ_1").answers.map(\.available) == [false])
        #expect(run.assign("AJ_1").begun.count == 1)
        run.handle(.started("AJ_1"))
        #expect(run.offer("AJ_1").answers.map(\.available) == [false])
        #expect(run.registration.assignedJobs == ["AJ_1"])
    }

    // MARK: Room

    @Test func withoutRoomTheAnswerWaitsForIt() {
        var run = RegistrationRun.registered(free: 0)
        let held = run.offerAndAccept("AJ_1")
        #expect(held.answers.isEmpty && held.counted == [.offered, .queued])
        #expect(run.pass(.seconds(1)).answers.isEmpty)
        let accepted = run.handle(.capacity(DispatchCapacity(free: 1, total: 10)))
        #expect(accepted.answers.map(\.available) == [true] && accepted.counted == [.accepted])
    }

    @Test func whoCameFirstGetsTheRoom() {
        var run = RegistrationRun.registered(free: 0)
        run.offer("AJ_1")
        run.offer("AJ_2")
        run.offer("AJ_3")
        // The owner answers in another order.
        for id in ["AJ_3", "AJ_2", "AJ_1"] { run.handle(.answered(id, .accept(AgentParticipant()))) }
        #expect(run.handle(.capacity(DispatchCapacity(free: 2, total: 10))).answers.map(\.jobID) == ["AJ_1", "AJ_2"])
    }

    @Test func aPlaceThatIsPromisedIsNotGivenTwice() {
        var run = RegistrationRun.registered(free: 1)
        #expect(run.offerAndAccept("AJ_1").answers.count == 1)
        #expect(run.offerAndAccept("AJ_2").answers.isEmpty)
        run.assign("AJ_1")
        let before = run.now
        run.now += .milliseconds(100)
        // It runs, and the capacity does not show it yet, nor does a measurement that began before.
        #expect(run.handle(.started("AJ_1")).answers.isEmpty)
        #expect(run.handle(.capacity(DispatchCapacity(free: 1, total: 10, measured: before))).answers.isEmpty)
        run.now += .milliseconds(100)
        #expect(run.handle(.capacity(DispatchCapacity(free: 0, total: 10))).answers.isEmpty)
        #expect(run.handle(.capacity(DispatchCapacity(free: 1, total: 10))).answers.map(\.jobID) == ["AJ_2"])
    }

    @Test func heavySessionsNeedMoreRoom() {
        var run = RegistrationRun.registered(free: 4.5) { $0.jobWeight = 5 }
        #expect(run.offerAndAccept("AJ_1").answers.isEmpty)
        #expect(run.handle(.capacity(DispatchCapacity(free: 5, total: 10))).answers.count == 1)
    }

    @Test func atTheEndOfTheWaitAFewAreAcceptedInHopeAndTheRestRefused() {
        var run = RegistrationRun.registered(free: 0) { $0.maximumOverbooked = 1 }
        run.offerAndAccept("AJ_1")
        run.offerAndAccept("AJ_2")
        #expect(run.pass(.milliseconds(1_100)).answers.isEmpty)
        let actions = run.pass(.milliseconds(100))
        #expect(actions.answers.map(\.jobID) == ["AJ_1", "AJ_2"])
        #expect(actions.answers.map(\.available) == [true, false])
        #expect(actions.counted == [.accepted, .expired])
        // The one that runs makes room for hope again.
        run.assign("AJ_1")
        run.handle(.started("AJ_1"))
        run.offerAndAccept("AJ_3")
        #expect(run.pass(.milliseconds(1_200)).answers.map(\.available) == [true])
    }

    @Test func theLineIsBounded() {
        var run = RegistrationRun.registered(free: 0) { $0.maximumPending = 2 }
        run.offerAndAccept("AJ_1")
        run.offerAndAccept("AJ_2")
        let third = run.offer("AJ_3")
        #expect(third.asked.isEmpty && third.answers.map(\.available) == [false])
    }

    @Test func drainingSendsAwayWhoWaits() {
        var run = RegistrationRun.registered(free: 0)
        run.offerAndAccept("AJ_1")
        run.offer("AJ_2")
        #expect(run.handle(.drain).answers.map(\.available) == [false, false])
        #expect(run.registration.isSettled)
    }

    // MARK: Assignment

    @Test func withoutAnAssignmentThePlaceIsGivenBack() {
        var run = RegistrationRun.registered(free: 1)
        run.offerAndAccept("AJ_1")
        #expect(run.pass(.milliseconds(6_900)).counted.isEmpty)
        // Another one waits for the place.
        run.offerAndAccept("AJ_2")
        let actions = run.pass(.milliseconds(600))
        #expect(actions.counted == [.expired, .accepted])
        #expect(actions.answers.map(\.jobID) == ["AJ_2"])
        let late = run.assign("AJ_1")
        #expect(late.begun.isEmpty && late.statuses.map(\.status) == [.jsFailed])
    }

    @Test func anAssignmentThatNobodyAskedForFails() throws {
        var run = RegistrationRun.registered()
        let status = try #require(run.assign("AJ_9").statuses.first)
        #expect(status.jobID == "AJ_9" && status.status == .jsFailed && !status.error.isEmpty)
        // Nor is one that has only been offered.
        run.offer("AJ_1")
        #expect(run.assign("AJ_1").begun.isEmpty)
    }

    @Test func anAssignmentThatComesTwiceIsBegunOnce() {
        var run = RegistrationRun.registered()
        run.offerAndAccept("AJ_1")
        #expect(run.assign("AJ_1").begun.count == 1)
        let second = run.assign("AJ_1")
        #expect(second.begun.isEmpty && second.statuses.isEmpty)
    }

    @Test func anAssignmentWithoutATokenFails() {
        var run = RegistrationRun.registered()
        run.offerAndAccept("AJ_1")
        let actions = run.assign("AJ_1", token: "")
        #expect(actions.begun.isEmpty && actions.statuses.map(\.status) == [.jsFailed] && actions.counted == [.failed])
    }
}

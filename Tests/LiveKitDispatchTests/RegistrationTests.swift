import SwiftProtobuf
import Testing

@testable import LiveKitDispatch

/// The connection, its deadlines and what the server is told of our load.
struct RegistrationTests {
    @Test func itRegistersBeforeAnythingElse() throws {
        var run = RegistrationRun(agentName: "lead") { $0.version = "1.2" }
        #expect(run.handle(.tick) == [.connect])
        #expect(run.handle(.capacity(DispatchCapacity(free: 1, total: 1))).isEmpty)
        let sent = run.handle(.opened).messages
        guard sent.count == 1, case .register(let request) = sent[0] else {
            Issue.record("expected a registration, not \(sent)")
            return
        }
        #expect(request.agentName == "lead")
        #expect(request.type == .jtRoom)
        #expect(request.version == "1.2")
        #expect(request.pingInterval == 10)
        #expect(request.allowedPermissions.canPublish && request.allowedPermissions.canSubscribe)
        #expect(request.allowedPermissions.canPublishData && request.allowedPermissions.canUpdateMetadata)
        #expect(request.allowedPermissions.agent && !request.allowedPermissions.hidden)
        #expect(run.pass(.seconds(3)).messages.isEmpty)
    }

    @Test func theFirstAnswerMustBeThatToTheRegistration() {
        var run = RegistrationRun()
        run.connect()
        #expect(run.handle(.received(.with { $0.pong = .init() })).closes)
        #expect(run.handle(.received(.with { $0.register.workerID = "AW_1" })).isEmpty)
        #expect(!run.registration.isRegistered)
    }

    @Test func aRegistrationThatIsNotAnsweredIsGivenUpAfterTenSeconds() {
        var run = RegistrationRun()
        run.connect()
        #expect(!run.pass(.milliseconds(9_900)).closes)
        #expect(run.pass(.milliseconds(100)).closes)
    }

    @Test func bytesThatAreNoMessageEndTheConnection() {
        var run = RegistrationRun.registered()
        #expect(run.handle(.undecodable("3 bytes")).closes)
        #expect(run.handle(.closed("as we wanted")).contains { if case .log = $0 { true } else { false } })
        #expect(run.pass(.seconds(1)).connects)
    }

    @Test func messagesOfUnknownKindsAreIgnored() {
        var run = RegistrationRun.registered()
        let actions = run.handle(.received(AgentWireServerMessage()))
        #expect(!actions.closes && actions.messages.isEmpty)
    }

    @Test func theServerIsToldTheLoadAtOnceAndThenEveryTwoAndAHalfSeconds() {
        var run = RegistrationRun()
        run.handle(.capacity(DispatchCapacity(free: 5, total: 10)))
        run.connect()
        let first = run.register().updates
        #expect(first.count == 1)
        #expect(first.first?.status == .wsAvailable)
        #expect(abs((first.first?.load ?? 0) - 0.343) < 0.001)
        #expect(run.pass(.milliseconds(2_400)).updates.isEmpty)
        #expect(run.pass(.milliseconds(100)).updates.count == 1)
        #expect(run.pass(.milliseconds(7_500)).updates.count == 3)
    }

    @Test func theLoadIsBelowWhatTheServerLeavesAloneWhileAJobMayWait() throws {
        var run = RegistrationRun.registered(free: 0) { $0.maximumPending = 1 }
        // Nothing is free, but one may wait.
        var update = try #require(run.pass(.milliseconds(2_500)).updates.last)
        #expect(update.status == .wsAvailable)
        #expect(update.load < 0.7 && update.load > 0.6)
        // One waits: now it is full, and says so at once.
        update = try #require(run.offerAndAccept("AJ_1").updates.last)
        #expect(update.status == .wsFull)
        #expect(update.load == 1)
        // Room: it is not any more.
        update = try #require(run.handle(.capacity(DispatchCapacity(free: 5, total: 10))).updates.last)
        #expect(update.status == .wsAvailable)
    }

    @Test func acceptedJobsCountAsLoadBeforeTheyRun() throws {
        var run = RegistrationRun.registered(free: 2)
        run.offerAndAccept("AJ_1")
        let update = try #require(run.pass(.milliseconds(2_500)).updates.last)
        #expect(abs(update.load - 0.9 * 0.7 * 0.98) < 0.001)
        #expect(update.jobCount == 0)
        run.assign("AJ_1")
        #expect(run.pass(.milliseconds(2_500)).updates.last?.jobCount == 1)
    }

    @Test func itPingsAndGivesUpAServerThatDoesNotAnswer() {
        var run = RegistrationRun.registered()
        func isPing(_ message: AgentWireWorkerMessage.OneOf_Message) -> Bool { if case .ping = message { true } else { false } }
        #expect(run.pass(.seconds(9)).messages.count(where: isPing) == 0)
        #expect(run.pass(.seconds(1)).messages.count(where: isPing) == 1)
        run.handle(.received(.with { $0.pong.lastTimestamp = 10_000 }))
        #expect(run.pass(.seconds(20)).messages.count(where: isPing) == 2)
        #expect(run.pass(.seconds(10)).closes)
    }

    @Test func itComesBackForEverAndNotInStep() {
        var run = RegistrationRun()
        run.connect()
        var waits: [Duration] = []
        for _ in 0..<100 {
            run.handle(.closed("refused"))
            let start = run.now
            while !run.pass(.milliseconds(100)).connects {}
            waits.append(run.now - start)
        }
        #expect(waits[0] <= .milliseconds(500))
        for (index, wait) in waits.enumerated().dropFirst() {
            let longest = Duration.seconds(min(2 * index, 10))
            #expect(wait >= longest / 2 && wait <= longest + .milliseconds(100), "attempt \(index)")
        }
        #expect(Set(waits.suffix(90)).count > 10)
    }

    @Test func onlyAConnectionThatLastedMakesTheNextAttemptSoon() {
        var run = RegistrationRun()
        run.connect()
        for _ in 0..<5 { run.handle(.closed("refused")); while !run.pass(.milliseconds(100)).connects {} }
        run.handle(.opened)
        run.register()
        // Over at once: it is still the sixth failure.
        run.handle(.closed("gone"))
        #expect(!run.pass(.seconds(4)).connects)
        #expect(run.pass(.seconds(6)).connects)
        run.handle(.opened)
        #expect(run.register(workerID: "AW_2").counted == [.reconnected])
        run.pass(.seconds(10))
        run.handle(.closed("gone"))
        #expect(run.pass(.milliseconds(500)).connects)
    }

    @Test func drainingIsFullAndFinal() throws {
        var run = RegistrationRun.registered()
        let actions = run.handle(.drain)
        #expect(actions.updates.last?.status == .wsFull)
        #expect(run.offer("AJ_1").answers.first?.available == false)
        #expect(run.handle(.capacity(DispatchCapacity(free: 10, total: 10))).updates.isEmpty)
        #expect(run.registration.isSettled)
        run.handle(.closed("gone"))
        run.pass(.seconds(1))
        run.handle(.opened)
        #expect(run.register().updates.last?.status == .wsFull)
    }

    @Test func whenItIsStoppedItConnectsNoMore() {
        var run = RegistrationRun.registered()
        run.runJob("AJ_1")
        run.offerAndAccept("AJ_2")
        run.assign("AJ_2")
        run.offer("AJ_3")
        let actions = run.handle(.stop)
        #expect(actions.closes && actions.answers.map(\.available) == [false])
        // What runs goes on; what was to be started is not.
        #expect(actions.statuses.map(\.jobID) == ["AJ_2"] && actions.statuses.map(\.status) == [.jsFailed])
        #expect(run.handle(.closed("as we wanted")).isEmpty)
        #expect(run.pass(.seconds(60)).isEmpty)
    }
}

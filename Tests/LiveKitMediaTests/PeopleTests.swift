import BackendKit
import NIOCore
import Testing

@testable import LiveKitMedia

@Suite struct PeopleTests {
    private func people(_ follow: RoomPeople.Follow, _ present: (String, UInt32)...) -> RoomPeople {
        var people = RoomPeople(follow: follow)
        for (identity, kind) in present { people.joined(identity, kind: kind) }
        return people
    }

    @Test func agentsRecordersAndUnknownKindsAreNoPeople() {
        let people = people(.activeSpeaker, ("agent", 4), ("recorder", 2), ("camera", 1), ("new", 99), ("web", 0), ("phone", 3), ("app", 5), ("web", 0))
        #expect(people.people.map(\.identity) == ["web", "phone", "app"])
        #expect(people.people.map(\.isPhone) == [false, true, false])
        #expect(people.isPerson("phone") && !people.isPerson("agent"))
    }

    @Test func theFirstIsFollowedAndThenTheNext() {
        var people = people(.first, ("a", 0), ("b", 0))
        #expect(people.followed.map(\.identity) == ["a"] && !people.isFollowed("b"))
        people.left("a")
        #expect(people.isFollowed("b"))
        people.joined("a", kind: 0)
        #expect(people.followed.map(\.identity) == ["b"])
    }

    @Test func aChosenParticipantIsTheOnlyOne() {
        var people = people(.participant("b"), ("a", 0))
        #expect(people.followed.isEmpty)
        people.joined("b", kind: 3)
        #expect(people.followed.map(\.identity) == ["b"])
    }

    @Test func aTelephoneIsHungUpOnlyWhereTheAgentWasItsOnlyCompany() {
        #expect(people(.first, ("phone", 3)).lonePhone == "phone")
        #expect(people(.activeSpeaker, ("phone", 3), ("robot", 4), ("recorder", 2)).lonePhone == "phone")
        #expect(people(.participant("phone"), ("phone", 3)).lonePhone == "phone")
        #expect(people(.first, ("web", 0)).lonePhone == nil)
        #expect(people(.first, ("phone", 3), ("web", 0)).lonePhone == nil)
        #expect(people(.first, ("phone", 3), ("other", 3)).lonePhone == nil)
        #expect(people(.participant("web"), ("phone", 3)).lonePhone == nil)
        #expect(people(.first).lonePhone == nil)
    }

    @Test(arguments: EndReason.allCases) func whoGoesOnWithACallDoesNotEndIt(reason: EndReason) {
        let others: Set<EndReason> = [.transferred, .shutdown, .lost, .handedOver, .superseded]
        #expect(reason.endsCall != others.contains(reason))
    }

    @Test func microphonesBelongToTheirPeople() {
        var people = people(.activeSpeaker, ("a", 0), ("b", 0))
        people.published("a", microphone: "TR_1")
        people.published("stranger", microphone: "TR_9")
        people.published("a", microphone: "TR_2")
        people.unpublished("a", microphone: "TR_1")
        #expect(people.followed.map(\.microphone) == ["TR_2", nil])
        people.unpublished("a", microphone: "TR_2")
        #expect(people.followed.map(\.microphone) == [nil, nil])
    }

    @Test func onlyThoseWhoLostTheirConnectionMayReturn() {
        #expect(RoomPeople.mayReturn(0, isPhone: false) && RoomPeople.mayReturn(14, isPhone: false))
        #expect(!RoomPeople.mayReturn(0, isPhone: true))
        for reason: UInt32 in [1, 4, 5, 10, 11, 12] { #expect(!RoomPeople.mayReturn(reason, isPhone: false)) }
    }

    // MARK: Whose audio is heard

    /// Whose frames are heard; the numbers are levels and milliseconds.
    private func heard(_ frames: (String, Double, Int64)...) -> [Bool] {
        var choice = SpeakerChoice()
        return frames.map { choice.hears($0.0, level: $0.1, at: $0.2 * 1_000_000) }
    }

    @Test func twoWhoSpeakAtOnceAreOneBargeIn() {
        #expect(heard(("a", 2_000, 0), ("b", 5_000, 100), ("a", 2_000, 200)) == [true, false, true])
    }

    @Test func thePauseOfASentencePassesNothingOn() {
        #expect(
            heard(("a", 2_000, 0), ("a", 10, 500), ("b", 2_000, 500), ("b", 10, 1_000), ("b", 2_000, 1_000), ("a", 10, 1_000))
                == [true, true, false, false, true, false])
    }

    @Test func whoLeavesHasNoFloor() {
        var choice = SpeakerChoice()
        _ = choice.hears("a", level: 2_000, at: 0)
        choice.left("b")
        #expect(choice.speaker == "a")
        choice.left("a")
        _ = choice.hears("b", level: 10, at: 1)
        #expect(choice.speaker == "b")
    }

    @Test func theLevelIsTheRootOfTheMeanSquare() {
        var samples = ByteBuffer()
        for sample: Int16 in [3_000, -3_000, 4_000, -4_000] { samples.writeInteger(sample, endianness: .little) }
        #expect(abs(SpeakerChoice.level(samples) - 3_535.5) < 1)
        #expect(SpeakerChoice.level(ByteBuffer()) == 0)
    }

    // MARK: The record

    @Test func theRecordOfARoomIsReadAsItWasWritten() throws {
        for record in [RoomGrantRecord(room: "r", identity: "agent-1"), .init(room: "Größe", identity: "a", name: "Anna", participant: "caller")] {
            #expect(RoomGrantRecord(handshake: record.handshake) == record)
        }
        #expect(RoomGrantRecord(handshake: Array(#"{"room":"r","identity":"a","later":1}"#.utf8)) == RoomGrantRecord(room: "r", identity: "a"))
    }

    @Test(arguments: ["", "{}", #"{"room":"r"}"#, #"{"room":1,"identity":"a"}"#, "\u{0}\u{1}"])
    func bytesThatAreNoRecordAreNone(text: String) {
        #expect(RoomGrantRecord(handshake: Array(text.utf8)) == nil)
    }
}

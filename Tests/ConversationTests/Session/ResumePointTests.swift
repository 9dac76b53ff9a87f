import Audio
import Conversation
import SessionLog
import SwiftProtobuf
import Testing

/// Where speech goes on: nothing is skipped, a word at most is said again.
@Suite struct ResumePointTests {
    private static let words = ["one", "two", "three", "four"]
    /// Words of 1,000 samples, 200 between them.
    private static let marks = words.enumerated().map { index, word in
        WordMark.with {
            $0.word = word
            $0.start = Int64(index) * 1_200
            $0.end = Int64(index) * 1_200 + 1_000
        }
    }

    private func state(_ bodies: [Event.OneOf_Body]) -> SessionState {
        SessionState(
            bodies.enumerated().map { index, body in
                Event.with {
                    $0.fence = 1
                    $0.sequence = UInt64(index + 1)
                    $0.body = body
                }
            })
    }

    private func sentence(_ index: UInt32, _ text: String = "One, two, three four.") -> Event.OneOf_Body {
        .sentence(.with { $0.reply = 1; $0.index = index; $0.text = text })
    }

    private func audio(_ index: UInt32, partial: Int? = nil) -> Event.OneOf_Body {
        .sentenceAudio(.with {
            $0.reply = 1
            $0.index = index
            $0.marks = Array(Self.marks.prefix(partial ?? 4))
            $0.samples = partial == nil ? 4_800 : 10_000
            $0.partial = partial != nil
        })
    }

    private func point(_ bodies: [Event.OneOf_Body], _ delivered: Int64?) throws -> ResumePoint {
        let reply = try #require(state([.replyStarted(.with { $0.reply = 1 })] + bodies).reply(1))
        return ResumePoint(reply, delivered: delivered.map { SessionTime(samples: $0) })
    }

    @Test func aWordThatWasCutIsSaidAgain() throws {
        let point = try point([sentence(0), audio(0)], 1_500)
        #expect(point.heard == "One,")
        #expect(point.remaining == "two, three four.")
        #expect(point.position == SessionTime(samples: 1_200))
        #expect(point.sentence == 0)
    }

    @Test(arguments: Array(stride(from: Int64(0), through: 4_800, by: 37))) func noWordIsSkippedAndAtMostOneSaidTwice(_ delivered: Int64) throws {
        let point = try point([sentence(0), audio(0)], delivered)
        let whole = Self.marks.filter { $0.end <= delivered }.count
        let begun = Self.marks.filter { $0.start < delivered }.count
        let again = point.sentence == 1 ? 0 : point.remaining.split(separator: " ").count
        #expect(4 - again <= begun)
        #expect(4 - again >= min(whole, begun - 1))
    }

    @Test func whatWasDeliveredWholeIsNotSaidAgain() throws {
        let point = try point([sentence(0), audio(0), sentence(1, "Five.")], 4_800)
        #expect(point.heard == "One, two, three four.")
        #expect(point.sentence == 1)
        #expect(point.remaining == "Five.")
    }

    @Test func aSentenceOfUnknownLengthBeginsAgain() throws {
        let point = try point([sentence(0), audio(0), sentence(1, "Five.")], 6_000)
        #expect(point.sentence == 1)
        #expect(point.position == SessionTime(samples: 4_800))
    }

    @Test func ofAudioOnItsWayOnlyMarkedWordsAreCertain() throws {
        let point = try point([sentence(0), audio(0, partial: 2)], 9_000)
        #expect(point.remaining == "two, three four.")
    }

    @Test func nobodyKnowsMeansFromTheStart() throws {
        let point = try point([sentence(0), audio(0)], nil)
        #expect(point.remaining == "One, two, three four.")
        #expect(!point.hasBegun)
    }

    /// The second owner's audio is that of the rest; its successor counts from there.
    @Test func aReplyGoesOnTwice() throws {
        let first = try point([sentence(0), audio(0)], 1_500)
        let rest = Event.OneOf_Body.sentenceAudio(.with {
            $0.reply = 1
            $0.samples = 3_600
            $0.marks = (0..<3).map { place in
                .with {
                    $0.word = Self.words[place + 1]
                    $0.start = Int64(place) * 1_200
                    $0.end = Int64(place) * 1_200 + 1_000
                }
            }
        })
        let second = try point([sentence(0), audio(0), first.event(of: 1), rest], 1_200 + 2_500)
        #expect(second.heard == "One, two, three")
        #expect(second.remaining == "four.")
        #expect(second.position == SessionTime(samples: 3_600))
        // Without any audio of the rest it begins where the first one said.
        let unknown = try point([sentence(0), audio(0), first.event(of: 1)], 3_000)
        #expect(unknown.remaining == "two, three four.")
    }
}

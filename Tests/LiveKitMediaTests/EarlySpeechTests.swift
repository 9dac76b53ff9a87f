import NIOCore
import NIOEmbedded
import Testing

@testable import LiveKitMedia

@Suite struct EarlySpeechTests {
    private let loop = EmbeddedEventLoop()
    private let taken = Taken()

    private final class Taken {
        var pieces: [[String]] = []
    }

    private func early() -> EarlySpeech {
        EarlySpeech(on: loop) { [taken] pieces in taken.pieces.append(pieces.map { "\(String(buffer: $0.samples)) \($0.rate)/\($0.channels)" }) }
    }

    private let recording = EarlySpeech.Piece(samples: ByteBuffer(string: "recording"), rate: 48_000, channels: 2)

    @Test func theRecordingComesBeforeWhatWasSaidMeanwhile() {
        let early = early()
        early.expect("anna")
        #expect(early.keep(ByteBuffer(string: "one"), of: "anna") && early.keep(ByteBuffer(string: "two"), of: "anna"))
        early.received(recording, of: "anna")
        #expect(taken.pieces == [["recording 48000/2", "one 16000/1", "two 16000/1"]])
        #expect(!early.keep(ByteBuffer(string: "three"), of: "anna"))
        loop.advanceTime(by: EarlySpeech.patience)
        #expect(taken.pieces.count == 1)
    }

    @Test func othersAreHeardMeanwhile() {
        let early = early()
        early.expect("anna")
        #expect(!early.keep(ByteBuffer(string: "one"), of: "ben"))
    }

    @Test func aRecordingThatDoesNotComeIsNotWaitedFor() {
        let early = early()
        early.expect("anna")
        // The wait begins when she is heard.
        loop.advanceTime(by: EarlySpeech.patience)
        #expect(early.keep(ByteBuffer(string: "one"), of: "anna"))
        loop.advanceTime(by: EarlySpeech.patience)
        #expect(taken.pieces == [["one 16000/1"]])
        // It may still come.
        early.received(recording, of: "anna")
        #expect(taken.pieces.last == ["recording 48000/2"])
    }

    @Test func aRecordingThatCannotBeReadLosesNothingElse() {
        let early = early()
        early.expect("anna")
        #expect(early.keep(ByteBuffer(string: "one"), of: "anna"))
        early.received(nil, of: "anna")
        #expect(taken.pieces == [["one 16000/1"]])
        early.received(nil, of: "anna")
        #expect(taken.pieces.count == 1)
    }

    @Test func whatIsClosedTakesNothing() {
        let early = early()
        early.expect("anna")
        #expect(early.keep(ByteBuffer(string: "one"), of: "anna"))
        early.close()
        loop.advanceTime(by: EarlySpeech.patience)
        #expect(taken.pieces.isEmpty)
    }
}

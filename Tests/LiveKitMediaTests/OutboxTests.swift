import NIOCore
import NIOEmbedded
import SwiftProtobuf
import Testing

@testable import LiveKitMedia

extension ClientLibraryTests {
    @Suite struct OutboxTests {
        /// Requests that the library answers without a room, and what was asked for.
        private final class Sender: @unchecked Sendable {
            let library: LiveKitLibrary
            let loop = NIOAsyncTestingEventLoop()
            let outbox: Outbox
            var sent: [String] = []
            var isEmpty = false
            private let source: SilentSource

            init(pause: TimeAmount? = nil) throws {
                library = try Client.library()
                outbox = Outbox(library: library, on: loop, logger: Client.logger, pause: pause)
                source = try SilentSource(library)
            }

            /// `isAnswered`: else the answer goes to a number that nobody waits for.
            func send(_ name: String, replacing key: String? = nil, isAnswered: Bool = true, isUnderstood: Bool = true) {
                outbox.send(replacing: key) { [self] number in
                    sent.append(name)
                    return source.capture(answering: isAnswered ? number : SilentSource.nobody, isUnderstood: isUnderstood)
                }
            }

            func flush() { outbox.flush { [self] in isEmpty = true } }

            func untilEmpty() async throws { while try await !loop.executeInContext({ [self] in isEmpty }) { await Task.yield() } }
            var log: [String] { get async throws { try await loop.executeInContext { [self] in sent } } }
        }

        @Test func sendsOneAfterTheOtherInOrder() async throws {
            let sender = try Sender()
            try await sender.loop.executeInContext {
                for name in 0..<20 { sender.send("\(name)") }
                #expect(sender.sent == ["0"])
                sender.flush()
            }
            try await sender.untilEmpty()
            #expect(try await sender.log == (0..<20).map { "\($0)" })
        }

        @Test func anAnswerThatDoesNotComeIsNotWaitedForBeyondThePause() async throws {
            let sender = try Sender(pause: .milliseconds(200))
            try await sender.loop.executeInContext {
                sender.send("a", isAnswered: false)
                sender.send("b", isAnswered: false)
                #expect(sender.sent == ["a"])
            }
            await sender.loop.advanceTime(by: .milliseconds(199))
            #expect(try await sender.log == ["a"])
            await sender.loop.advanceTime(by: .milliseconds(1))
            #expect(try await sender.log == ["a", "b"])
            // The first one is given up later, which changes nothing for those that have come since.
            await sender.loop.advanceTime(by: .seconds(10))
            try await sender.loop.executeInContext {
                sender.send("c")
                sender.flush()
            }
            try await sender.untilEmpty()
            #expect(try await sender.log == ["a", "b", "c"])
        }

        @Test func anItemThatWaitsIsReplacedByANewerOneOfItsKey() async throws {
            let sender = try Sender()
            try await sender.loop.executeInContext {
                for name in ["a", "b", "c"] { sender.send(name, replacing: "state") }
                sender.send("other")
                sender.send("d", replacing: "state")
                sender.flush()
            }
            try await sender.untilEmpty()
            #expect(try await sender.log == ["a", "d", "other"])
        }

        @Test func isBoundedAndDropsWhatHasAKeyFirst() async throws {
            let sender = try Sender()
            try await sender.loop.executeInContext {
                sender.send("first", isAnswered: false)
                for name in 0..<255 { sender.send("\(name)") }
                sender.send("keyed", replacing: "key")
                sender.send("255")
                sender.send("256")
                #expect(sender.outbox.dropped == 2)
                sender.flush()
            }
            await sender.loop.advanceTime(by: .seconds(5))
            try await sender.untilEmpty()
            #expect(try await sender.log == ["first"] + (1...256).map { "\($0)" })
        }

        @Test func whatIsNeverAnsweredHoldsTheOthersUpForFiveSeconds() async throws {
            let sender = try Sender()
            try await sender.loop.executeInContext {
                sender.send("lost", isAnswered: false)
                sender.send("next")
                sender.flush()
            }
            await sender.loop.advanceTime(by: .milliseconds(4_999))
            #expect(try await sender.log == ["lost"])
            await sender.loop.advanceTime(by: .milliseconds(1))
            try await sender.untilEmpty()
            #expect(try await sender.log == ["lost", "next"])
        }

        @Test func whatTheLibraryDoesNotUnderstandHoldsNobodyUp() async throws {
            let sender = try Sender()
            try await sender.loop.executeInContext {
                sender.send("a", isUnderstood: false)
                sender.send("b")
                sender.flush()
            }
            try await sender.untilEmpty()
            #expect(try await sender.log == ["a", "b"])
        }

        @Test func nothingIsSentAfterItIsClosed() async throws {
            let sender = try Sender()
            try await sender.loop.executeInContext {
                sender.send("a")
                sender.send("b")
                sender.outbox.close()
                sender.send("c")
            }
            await sender.loop.advanceTime(by: .seconds(10))
            #expect(try await sender.log == ["a"])
        }
    }
}

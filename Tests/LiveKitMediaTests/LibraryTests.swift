import Foundation
import NIOCore
import NIOEmbedded
import SwiftProtobuf
import Synchronization
import Testing

@testable import LiveKitMedia

extension ClientLibraryTests {
    @Suite struct LibraryTests {
        // MARK: Opening

        @Test func aMissingFileIsNamed() throws {
            _ = try Client.library()
            let error = try #require(throws: LiveKitError.self) { try LiveKitLibrary.load(path: "/nowhere/liblivekit_ffi.so") }
            #expect(error.code == .library)
            #expect(error.message.hasPrefix("the client library cannot be opened from '/nowhere/liblivekit_ffi.so': "), "\(error)")
            #expect(error.message.contains("No such file"), "\(error)")
        }

        @Test func anotherLibraryIsRefusedAndWhatIsOpenGoesOn() throws {
            let library = try Client.library()
            let error = try #require(throws: LiveKitError.self) { try LiveKitLibrary.load(path: "libm.so.6") }
            #expect(error.message.contains("it is not LiveKit's client library"), "\(error)")
            _ = LiveKitHandle(try library.request(.newAudioResampler(.init())).newAudioResampler.resampler.handle)
        }

        @Test func aProcessHasOneLibrary() throws {
            let library = try Client.library()
            #expect(try LiveKitLibrary.open(path: "/nowhere", logger: Client.logger) === library)
            #expect(library.problem == nil)
        }

        // MARK: Requests

        @Test func aRequestIsAnswered() throws {
            let answer = try Client.library().request(.newAudioResampler(.init()))
            let resampler = LiveKitHandle(answer.newAudioResampler.resampler.handle)
            #expect(resampler.id != 0)
        }

        @Test func whatTheLibraryDoesNotUnderstandIsAnError() throws {
            let library = try Client.library()
            let loop = NIOAsyncTestingEventLoop()
            let (handles, routes) = (LiveKitHandle.count, library.openRoutes)
            let requests: [FfiRequest.OneOf_Message] = [
                // There are no such things.
                .newAudioStream(.with { $0.trackHandle = 1 << 60 }), .createAudioTrack(.with { $0.name = "x" }),
                .setSubscribed(
                    .with {
                        $0.subscribe = true
                        $0.publicationHandle = 1 << 60
                    }),
            ]
            for request in requests {
                let error = #expect(throws: LiveKitError.self) { try library.request(request) }
                #expect(error?.code == .request)
                #expect(throws: LiveKitError.self) { try library.call(on: loop, { _ in request }, { _ in Issue.record("answered") }) }
            }
            #expect(LiveKitHandle.count == handles && library.openRoutes == routes)
        }

        @Test func aRequestThatIsNotAnsweredIsGivenUpAtItsDeadline() async throws {
            let library = try Client.library()
            let source = try SilentSource(library)
            let routes = library.openRoutes
            let loop = NIOAsyncTestingEventLoop()
            let problems = Mutex<[LiveKitError?]>([])
            try library.call(on: loop, within: .seconds(3), { _ in source.capture(answering: SilentSource.nobody) }) { answer in
                let problem: LiveKitError? = if case .failure(let error) = answer { error } else { nil }
                problems.withLock { $0.append(problem) }
            }
            await loop.advanceTime(by: .milliseconds(2_999))
            #expect(problems.withLock { $0 }.isEmpty)
            #expect(library.openRoutes == routes + 1)
            await loop.advanceTime(by: .seconds(1))
            let late = LiveKitError(.late, "the client library has not answered within 3 s")
            #expect(problems.withLock { $0 } == [late])
            #expect(library.openRoutes == routes)
            await loop.advanceTime(by: .seconds(60))
            #expect(problems.withLock { $0 }.count == 1)
        }

        // MARK: The library's own resampler

        @Test func itsResamplerKeepsPitchAndLevel() throws {
            let library = try Client.library()
            let resampler = LiveKitHandle(try library.request(.newAudioResampler(.init())).newAudioResampler.resampler.handle)
            let input = (0..<48_000).map { Int16((8_000 * sin(2 * .pi * 1_000 * Double($0) / 48_000)).rounded()) }
            var output: [Int16] = []
            for start in stride(from: 0, to: input.count, by: 480) {
                output += try resample(Array(input[start..<start + 480]), by: resampler, library)
            }
            #expect(abs(output.count - 16_000) <= 160)
            let middle = output[4_000..<12_000]
            let rising = zip(middle, middle.dropFirst()).count { $0 < 0 && $1 >= 0 }
            #expect(abs(rising - 500) <= 1)
            let level = (middle.reduce(0.0) { $0 + Double($1) * Double($1) } / Double(middle.count)).squareRoot()
            #expect(abs(level - 8_000 / 2.0.squareRoot()) < 120, "\(level)")
        }

        private func resample(_ samples: [Int16], by resampler: LiveKitHandle, _ library: LiveKitLibrary) throws -> [Int16] {
            try samples.withUnsafeBufferPointer { buffer in
                let answer = try library.request(
                    .remixAndResample(
                        .with {
                            $0.resamplerHandle = resampler.id
                            $0.numChannels = 1
                            $0.sampleRate = 16_000
                            $0.buffer = .with {
                                $0.dataPtr = UInt64(UInt(bitPattern: buffer.baseAddress))
                                $0.numChannels = 1
                                $0.sampleRate = 48_000
                                $0.samplesPerChannel = UInt32(buffer.count)
                            }
                        })
                ).remixAndResample.buffer
                let handle = LiveKitHandle(answer.handle)
                let start = try #require(UnsafePointer<Int16>(bitPattern: UInt(answer.info.dataPtr)))
                return withExtendedLifetime(handle) { Array(UnsafeBufferPointer(start: start, count: Int(answer.info.samplesPerChannel))) }
            }
        }

        // MARK: Handles

        @Test func tracksThatAreDroppedLeaveNothing() async throws {
            let library = try Client.library()
            let (handles, routes) = (LiveKitHandle.count, library.openRoutes)
            for round in 0..<300 {
                let track = try AgentTrack(library: library, name: "track \(round)")
                #expect(LiveKitHandle.count == handles + 2)
                track.tick(0)
            }
            await Client.settle(library, handles: handles, routes: routes)
        }
    }
}

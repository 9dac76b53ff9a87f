import NIOCore
import NIOEmbedded
import Testing

@testable import LiveKitMedia

@Suite struct CallerStreamTests {
    private final class Heard: @unchecked Sendable {
        var frames: [Int16] = []
        var arrivals: [Int64] = []
    }

    /// A stream and what came out of it: frames of two equal samples, told by the first.
    private func stream(on loop: NIOAsyncTestingEventLoop) -> (CallerStream, Heard) {
        let heard = Heard()
        let stream = CallerStream(on: loop) { samples, arrival in
            var samples = samples
            #expect(samples.readableBytes == 4)
            heard.frames.append(samples.readInteger(endianness: .little) ?? -1)
            heard.arrivals.append(arrival)
        }
        return (stream, heard)
    }

    private static func push(_ numbers: Range<Int16>, to stream: CallerStream) {
        for number in numbers { [number, number].withUnsafeBufferPointer { stream.push($0) } }
    }

    @Test func deliversInOrder() async throws {
        let loop = NIOAsyncTestingEventLoop()
        let (stream, heard) = stream(on: loop)
        try await loop.executeInContext { Self.push(0..<10, to: stream) }
        await loop.run()
        try await loop.executeInContext { Self.push(10..<12, to: stream) }
        await loop.run()
        #expect(heard.frames == Array(0..<12))
        #expect(heard.arrivals == heard.arrivals.sorted() && heard.arrivals.allSatisfy { $0 > 0 })
        #expect(stream.dropped == 0)
    }

    @Test func aLateLoopLosesTheOldest() async throws {
        let loop = NIOAsyncTestingEventLoop()
        let (stream, heard) = stream(on: loop)
        try await loop.executeInContext { Self.push(0..<40, to: stream) }
        await loop.run()
        #expect(heard.frames == Array(15..<40))
        #expect(stream.dropped == 15)
    }

    @Test func nothingComesAfterItIsClosed() async throws {
        let loop = NIOAsyncTestingEventLoop()
        let (stream, heard) = stream(on: loop)
        try await loop.executeInContext {
            Self.push(0..<3, to: stream)
            stream.close()
            Self.push(3..<6, to: stream)
        }
        await loop.run()
        #expect(heard.frames.isEmpty && stream.dropped == 0)
    }
}

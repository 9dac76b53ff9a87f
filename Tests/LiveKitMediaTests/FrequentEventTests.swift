import SwiftProtobuf
import Testing

@testable import LiveKitMedia

/// What is read and written by hand is what the generated code reads and writes.
@Suite struct FrequentEventTests {
    private static let numbers: [UInt64] = [1, 127, 128, 16_384, 0x7f00_1234_5678, .max >> 1, .max]

    private func bytes(_ make: (inout FfiEvent) -> Void) throws -> [UInt8] { try FfiEvent.with(make).serializedBytes() }

    private func read(_ bytes: [UInt8]) -> FrequentEvent? { FrequentEvent(bytes.span) }

    private func frame(_ number: UInt64) throws -> [UInt8] {
        try bytes {
            $0.audioStreamEvent = .with {
                $0.streamHandle = number
                $0.frameReceived = .with {
                    $0.frame = .with {
                        $0.handle = .with { $0.id = number }
                        $0.info = .with {
                            $0.dataPtr = number
                            $0.numChannels = 2
                            $0.sampleRate = 48_000
                            $0.samplesPerChannel = 480
                        }
                    }
                }
            }
        }
    }

    @Test(arguments: numbers) func framesAreRead(_ number: UInt64) throws {
        let frame = FrequentEvent.Frame(
            stream: number, handle: number, address: number, channels: 2, sampleRate: 48_000, samplesPerChannel: 480)
        #expect(read(try self.frame(number)) == .frame(frame))
    }

    @Test(arguments: numbers) func answersToCapturesAreRead(_ number: UInt64) throws {
        let answer = try bytes { $0.captureAudioFrame = .with { $0.asyncID = number } }
        #expect(read(answer) == .captured(number: number))
        let refusal = try bytes {
            $0.captureAudioFrame = .with {
                $0.asyncID = number
                $0.error = "no such source"
            }
        }
        #expect(read(refusal) == .captured(number: number))
    }

    @Test func everythingElseIsLeftAlone() throws {
        let events: [[UInt8]] = [
            try bytes { $0.disconnect = .with { $0.asyncID = 7 } }, try bytes { $0.panic = .with { $0.message = "broken" } },
            // The end of a stream has no frame.
            try bytes { $0.audioStreamEvent = .with { $0.streamHandle = 7 } }, [],
        ]
        for event in events { #expect(read(event) == nil, "\(event)") }
    }

    @Test func whatIsNotWholeIsNoEvent() throws {
        let whole = try frame(.max)
        for length in whole.indices { #expect(read(Array(whole[..<length])) == nil, "\(length)") }
        let garbage: [[UInt8]] = [[0xff, 0xff], [0x22, 0xff, 0xff, 0xff, 0xff, 0x0f], [0x6a, 2, 8], [0x6a, 2, 8, 0x80], [0x23], [0x6a, 0]]
        for bytes in garbage { #expect(read(bytes) == nil, "\(bytes)") }
    }

    @Test(arguments: numbers) func aCaptureSaysWhereTheSamplesAre(_ address: UInt64) throws {
        var request = CaptureRequest(source: 12, number: 345)
        // What was there before leaves nothing behind.
        request.point(to: .max)
        request.point(to: address)
        let read = try FfiRequest(serializedBytes: request.bytes).captureAudioFrame
        #expect(read.sourceHandle == 12 && read.requestAsyncID == 345 && read.buffer.dataPtr == address)
        #expect(read.buffer.numChannels == 1 && read.buffer.sampleRate == 16_000 && read.buffer.samplesPerChannel == 160)
    }
}

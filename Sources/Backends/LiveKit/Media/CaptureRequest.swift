import SwiftProtobuf

/// The request that gives the library 10 ms of audio. It is made a hundred times a second for every room, so it is serialised once, and only the
/// address in it is written anew.
struct CaptureRequest {
    private(set) var bytes: [UInt8]
    /// Where the address is: as long as a number can be.
    private let place: Range<Int>

    /// - Parameter number: the answer to every frame has it
    init(source: UInt64, number: UInt64) {
        let request = FfiRequest.with {
            $0.captureAudioFrame = .with {
                $0.sourceHandle = source
                $0.requestAsyncID = number
                $0.buffer = .with {
                    // The one number that is serialised as this.
                    $0.dataPtr = .max
                    $0.numChannels = 1
                    $0.sampleRate = AgentTrack.sampleRate
                    $0.samplesPerChannel = UInt32(AgentTrack.frameSamples)
                }
            }
        }
        // It has no required fields and no extensions, without which nothing can fail.
        bytes = (try? request.serializedBytes()) ?? []
        let longest = [UInt8](repeating: 0xff, count: 9) + [1]
        place = bytes.firstRange(of: longest) ?? 0..<0
    }

    /// Says where the samples are.
    mutating func point(to address: UInt64) {
        var rest = address
        for index in place {
            bytes[index] = UInt8(truncatingIfNeeded: rest) & 0x7f | 0x80
            rest >>= 7
        }
        // The last byte says that the number ends.
        if let last = place.last { bytes[last] &= 0x7f }
    }
}

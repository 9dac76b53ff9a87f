import BackendKit
import Dispatch
import Foundation
import Logging
import NIOCore
import NIOPosix
import SwiftProtobuf
import Testing

@testable import LiveKitMedia

/// The client library as deploy/fetch-models installs it.
enum Client {
    static let path = (ProcessInfo.processInfo.environment["PARLEY_MODELS_DIR"] ?? ".local/models") + "/liblivekit_ffi.so"
    static let isThere = FileManager.default.fileExists(atPath: path)

    static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    private static let opened: Result<LiveKitLibrary, any Error> = Result {
        let library = try LiveKitLibrary.open(path: path, logger: logger)
        // Its threads would not survive what the C library takes down at the end of the process. The thread that ends the process has no
        // thread-local variables any more, which the library needs.
        atexit {
            let closed = DispatchSemaphore(value: 0)
            Thread.detachNewThread {
                try? Client.opened.get().close()
                closed.signal()
            }
            closed.wait()
        }
        return library
    }

    static func library() throws -> LiveKitLibrary { try opened.get() }

    /// Waits until nothing of a room is left; the time limit of the suite bounds it. What earlier tests have sent may be answered meanwhile, so that
    /// it can be less.
    static func settle(_ library: LiveKitLibrary, handles: Int, routes: Int) async {
        while !Task.isCancelled, LiveKitHandle.count > handles || library.openRoutes > routes { await Task.yield() }
    }
}

/// What uses the client library: one test after the other, because they count what it holds.
@Suite(
    .serialized, .enabled(if: Client.isThere, "\(Client.path) is missing: LiveKit's client library is NOT tested; run deploy/fetch-models"),
    .timeLimit(.minutes(2)))
struct ClientLibraryTests {}

/// Remembers what a room tells.
final class FakeSession: RoomSession, @unchecked Sendable {
    private let lock = NSLock()
    private var told: [String] = []
    private var taken: [ClientInput] = []

    var events: [String] { lock.withLock { told } }
    var inputs: [ClientInput] { lock.withLock { taken } }
    private func tell(_ event: String) { lock.withLock { told.append(event) } }

    func callerAudio(_ bytes: ByteBuffer, sampleRate: Int, channels: Int, arrival nanoseconds: Int64) { tell("audio") }
    func keptAudio(_ bytes: ByteBuffer, sampleRate: Int, channels: Int) { tell("kept audio") }
    func keptAudioEnded() { tell("end of kept audio") }
    func receive(_ input: ClientInput) { lock.withLock { taken.append(input) } }
    func callerAway(_ reason: String) { tell("away") }
    func callerBack() { tell("back") }
    func callerLeft(_ reason: String) { tell("left") }
    func evicted(_ reason: String) { tell("evicted") }
    func failed(_ reason: String, isFinal: Bool) { tell(isFinal ? "failed for good: \(reason)" : "failed: \(reason)") }
}

/// An HTTP server that refuses every token, as LiveKit's does.
final class RefusingServer {
    private let channel: any Channel
    var url: String { "ws://127.0.0.1:\(channel.localAddress?.port ?? 0)" }

    private final class Refusal: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let body = "invalid authorization token"
            let answer = "HTTP/1.1 401 Unauthorized\r\nContent-Length: \(body.utf8.count)\r\nConnection: close\r\n\r\n\(body)"
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: answer)), promise: nil)
        }
    }

    init() async throws {
        channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(Refusal()) }
            }
            .bind(host: "127.0.0.1", port: 0).get()
    }

    func close() async throws { try await channel.close() }
}

/// A source of audio, with which the library answers requests without a room.
final class SilentSource: @unchecked Sendable {
    /// A number that no request has: an answer to it reaches nobody.
    static let nobody: UInt64 = 1 << 60

    private let handle: LiveKitHandle
    private let silence = UnsafeMutablePointer<Int16>.allocate(capacity: AgentTrack.frameSamples)

    init(_ library: LiveKitLibrary) throws {
        silence.initialize(repeating: 0, count: AgentTrack.frameSamples)
        let request = FfiNewAudioSourceRequest.with {
            $0.type = 0
            $0.options = .with {
                $0.echoCancellation = false
                $0.noiseSuppression = false
                $0.autoGainControl = false
            }
            $0.sampleRate = AgentTrack.sampleRate
            $0.numChannels = 1
            $0.queueSizeMs = 0
        }
        handle = LiveKitHandle(try library.request(.newAudioSource(request)).newAudioSource.source.handle)
    }

    deinit { silence.deallocate() }

    /// Sends 10 ms of silence; the answer has this number. `isUnderstood`: else there is no such source.
    func capture(answering number: UInt64, isUnderstood: Bool = true) -> FfiRequest.OneOf_Message {
        .captureAudioFrame(
            .with {
                $0.sourceHandle = isUnderstood ? handle.id : 1 << 60
                $0.requestAsyncID = number
                $0.buffer = .with {
                    $0.dataPtr = UInt64(UInt(bitPattern: silence))
                    $0.numChannels = 1
                    $0.sampleRate = AgentTrack.sampleRate
                    $0.samplesPerChannel = UInt32(AgentTrack.frameSamples)
                }
            })
    }
}

/// A port of this machine where nobody listens.
func deafURL() async throws -> String {
    let server = try await RefusingServer()
    let url = server.url
    try await server.close()
    return url
}

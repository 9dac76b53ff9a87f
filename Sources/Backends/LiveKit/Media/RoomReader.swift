import Audio
import BackendKit
import Logging
import NIOCore
import SwiftProtobuf

/// Reads what people's programs send into a room as streams: chat, and what a caller said before the agent was there. On the session's event loop.
final class RoomReader {
    /// What was read.
    enum Item {
        case chat(String)
        /// Nil where nothing was recorded that can be read.
        case recording(of: String, EarlySpeech.Piece?)
    }

    static let chat = "lk.chat"
    /// A message that is not there whole by then is not read.
    private static let chatPatience = TimeAmount.seconds(30)

    private let library: LiveKitLibrary
    private let eventLoop: any EventLoop
    private let logger: Logger
    private let take: (Item) -> Void
    /// Streams of audio that are being read.
    private var readings: [UInt64: LiveKitHandle] = [:]

    init(library: LiveKitLibrary, on eventLoop: any EventLoop, logger: Logger, _ take: @escaping (Item) -> Void) {
        self.library = library
        self.eventLoop = eventLoop
        self.logger = logger
        self.take = take
    }

    func readChat(_ reader: LiveKitHandle) {
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        let eventLoop = eventLoop
        do {
            try library.call(on: eventLoop, within: Self.chatPatience) { number in
                .textReadAll(
                    .with {
                        $0.readerHandle = reader.id
                        $0.requestAsyncID = number
                    })
            } _: { answer in
                withExtendedLifetime(reader) {}
                eventLoop.execute { bound.value.received(answer) }
            }
        } catch { received(.failure(error)) }
    }

    private func received(_ answer: Result<FfiEvent, LiveKitError>) {
        let problem: String
        switch answer {
        case .success(let event):
            guard case .textStreamReaderReadAll(let text) = event.message else { return }
            if case .content(let text) = text.result { return take(.chat(text)) }
            problem = text.error.description_p
        case .failure(let error): problem = error.message
        }
        logger.warning("a chat message cannot be read", metadata: ["reason": "\(problem)"])
    }

    /// What the caller said before the agent was there: one recording at a time.
    func readRecording(_ reader: LiveKitHandle, of identity: String, _ attributes: [String: String], type: String) {
        guard readings.isEmpty else { return }
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        let eventLoop = eventLoop
        let collected = PreconnectAudio(attributes, type: type)
        readings[reader.id] = reader
        library.listen(to: reader.id) { event in
            guard case .byteStreamReaderEvent(let chunk) = event.message else { return }
            eventLoop.execute { bound.value.received(chunk, collected, of: identity) }
        }
        _ = try? library.request(.byteReadIncremental(.with { $0.readerHandle = reader.id }))
    }

    private func received(_ chunk: FfiByteStreamReaderEvent, _ audio: PreconnectAudio, of identity: String) {
        switch chunk.detail {
        case .chunkReceived(let bytes): audio.append(bytes.content)
        case .eos:
            library.forget(chunk.readerHandle)
            readings[chunk.readerHandle] = nil
            var recording: EarlySpeech.Piece?
            do throws(AudioError) {
                recording = try audio.finish().map { EarlySpeech.Piece(samples: $0.0, rate: $0.rate, channels: $0.channels) }
            } catch {
                logger.warning("what the caller said before the agent was there is lost", metadata: ["reason": "\(error)"])
            }
            take(.recording(of: identity, recording))
        case nil: break
        }
    }

    /// Nothing more is read of recordings.
    func close() {
        for reader in readings.keys { library.forget(reader) }
        readings = [:]
    }
}

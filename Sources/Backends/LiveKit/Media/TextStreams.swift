import Foundation
import SwiftProtobuf

/// Requests that send what is said into a room as text: on the topic `lk.transcription`, and as packets for programs that know no streams.
enum TextStreams {
    static let topic = "lk.transcription"

    static func attributes(segment: String, track: String, isFinal: Bool) -> [String: String] {
        ["lk.segment_id": segment, "lk.transcribed_track_id": track, "lk.transcription_final": isFinal ? "true" : "false"]
    }

    /// One text as a stream of its own, in the name of somebody in the room.
    static func whole(
        _ text: String, _ attributes: [String: String], from sender: String, by participant: UInt64, _ number: UInt64
    ) -> FfiRequest.OneOf_Message {
        .sendText(
            .with {
                $0.localParticipantHandle = participant
                $0.requestAsyncID = number
                $0.text = text
                $0.options = .with {
                    $0.topic = topic
                    $0.attributes = attributes
                    $0.senderIdentity = sender
                }
            })
    }

    static func header(
        _ id: String, _ attributes: [String: String], from sender: String, by participant: UInt64, _ number: UInt64
    ) -> FfiRequest.OneOf_Message {
        .sendStreamHeader(
            .with {
                $0.localParticipantHandle = participant
                $0.requestAsyncID = number
                $0.senderIdentity = sender
                $0.header = .with {
                    $0.streamID = id
                    $0.timestamp = Int64(Date().timeIntervalSince1970 * 1_000)
                    $0.mimeType = "text/plain"
                    $0.topic = topic
                    $0.attributes = attributes
                    $0.textHeader = .with { $0.operationType = 0 }
                }
            })
    }

    static func chunk(
        _ id: String, _ index: UInt64, _ text: String, from sender: String, by participant: UInt64, _ number: UInt64
    ) -> FfiRequest.OneOf_Message {
        .sendStreamChunk(
            .with {
                $0.localParticipantHandle = participant
                $0.requestAsyncID = number
                $0.senderIdentity = sender
                $0.chunk = .with {
                    $0.streamID = id
                    $0.chunkIndex = index
                    $0.content = Data(text.utf8)
                }
            })
    }

    /// All of a segment so far, as a packet of its own. Nothing is shown of one without a track.
    static func caption(
        _ segment: String, _ text: String, isFinal: Bool, of speaker: String, track: String, by participant: UInt64, _ number: UInt64
    ) -> FfiRequest.OneOf_Message {
        .publishTranscription(
            .with {
                $0.localParticipantHandle = participant
                $0.requestAsyncID = number
                $0.participantIdentity = speaker
                $0.trackID = track
                $0.segments = [
                    .with {
                        $0.id = segment
                        $0.text = text
                        $0.startTime = 0
                        $0.endTime = 0
                        $0.final = isFinal
                        $0.language = ""
                    }
                ]
            })
    }

    static func trailer(
        _ id: String, _ attributes: [String: String], from sender: String, by participant: UInt64, _ number: UInt64
    ) -> FfiRequest.OneOf_Message {
        .sendStreamTrailer(
            .with {
                $0.localParticipantHandle = participant
                $0.requestAsyncID = number
                $0.senderIdentity = sender
                $0.trailer = .with {
                    $0.streamID = id
                    $0.reason = ""
                    $0.attributes = attributes
                }
            })
    }
}

package import Foundation
import SwiftProtobuf

extension Event {
    /// The newest event version that this build writes and folds. Raised when a change to the events would make an older reader
    /// fold them wrongly; adding a body or a field does not.
    package static let currentVersion: UInt32 = 1

    /// What identifies an event within its session and orders it: the fence, then the sequence.
    package struct ID: Hashable, Comparable, Sendable, CustomStringConvertible {
        package var fence: UInt64
        package var sequence: UInt64

        package init(fence: UInt64, sequence: UInt64) {
            self.fence = fence
            self.sequence = sequence
        }

        package static func < (left: ID, right: ID) -> Bool {
            (left.fence, left.sequence) < (right.fence, right.sequence)
        }

        /// `fence-sequence`, which is also the event's entry id in the Redis stream of its session.
        package var description: String { "\(fence)-\(sequence)" }

        /// Parses `description`; nil for anything else.
        package init?(_ text: some StringProtocol) {
            let parts = text.split(separator: "-", omittingEmptySubsequences: false)
            guard parts.count == 2, let fence = UInt64(parts[0]), let sequence = UInt64(parts[1]) else { return nil }
            self.init(fence: fence, sequence: sequence)
        }
    }

    package var id: ID { ID(fence: fence, sequence: sequence) }

    /// What may be dropped first when there is no room: measurements, never anything that was said or decided.
    package var isTelemetry: Bool {
        switch body {
        case .latency, .usage: true
        default: false
        }
    }

    /// What must have reached a replica of Redis, where there is one, before it counts as stored.
    package var needsReplica: Bool {
        switch body {
        case .closed: true
        case .toolCalled(let call): call.sideEffects
        default: false
        }
    }

    /// A body that this build does not know, written by a newer one. Its bytes are kept in `unknownFields` and survive a round trip.
    package var isUnknown: Bool { body == nil && !unknownFields.data.isEmpty }

    /// The event as it is stored.
    ///
    /// - Throws: `SessionLogError.malformed`; only text that is no UTF-8 can cause it, which a Swift `String` cannot hold.
    package func stored() throws(SessionLogError) -> Data {
        do {
            return try serializedData()
        } catch {
            throw SessionLogError(.malformed, message: "The event \(id) cannot be serialised.", cause: error)
        }
    }

    /// Reads a stored event. Unknown fields are kept.
    package init(stored bytes: Data) throws(SessionLogError) {
        do {
            try self.init(serializedBytes: bytes)
        } catch {
            throw SessionLogError(
                .malformed, message: "\(bytes.count) bytes are no event of a session log.", cause: error)
        }
    }
}

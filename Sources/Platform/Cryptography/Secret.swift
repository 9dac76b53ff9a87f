/// A key, password or token that must not be printed by accident: descriptions, dumps and mirrors show only that there is one.
package struct Secret: Sendable, Equatable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The secret itself. Pass it on, never write it down.
    package let bytes: [UInt8]

    package init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// A secret that is text: its UTF-8 bytes.
    package init(_ text: String) {
        bytes = Array(text.utf8)
    }

    /// The secret as text; invalid UTF-8 is replaced.
    package var revealed: String { String(decoding: bytes, as: UTF8.self) }

    /// Whether there is nothing in it.
    package var isEmpty: Bool { bytes.isEmpty }

    package static func == (left: Secret, right: Secret) -> Bool {
        constantTimeEqual(left.bytes, right.bytes)
    }

    package var description: String { "[secret]" }
    package var debugDescription: String { "[secret]" }
    package var customMirror: Mirror { Mirror(self, children: []) }
}

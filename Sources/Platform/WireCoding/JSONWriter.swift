package import NIOCore

/// Writes compact JSON into a buffer; commas and quotes are its business, balance of begin and end the caller's.
package struct JSONWriter {
    package private(set) var buffer: ByteBuffer
    private var needsComma = false

    /// Appends to what is in `buffer`.
    package init(_ buffer: ByteBuffer = ByteBuffer()) { self.buffer = buffer }

    package var text: String { String(buffer: buffer) }

    package mutating func object(_ body: (inout JSONWriter) -> Void) {
        begin(UInt8(ascii: "{"))
        body(&self)
        end(UInt8(ascii: "}"))
    }

    package mutating func array(_ body: (inout JSONWriter) -> Void) {
        begin(UInt8(ascii: "["))
        body(&self)
        end(UInt8(ascii: "]"))
    }

    package mutating func key(_ name: String) {
        string(name)
        buffer.writeInteger(UInt8(ascii: ":"))
        needsComma = false
    }

    package mutating func string(_ text: String) {
        separate()
        buffer.writeInteger(UInt8(ascii: "\""))
        Self.escape(text, into: &buffer)
        buffer.writeInteger(UInt8(ascii: "\""))
    }

    package mutating func int(_ value: Int) { literal(String(value)) }
    /// JSON has no infinities: they become null.
    package mutating func double(_ value: Double) { literal(value.isFinite ? "\(value)" : "null") }
    package mutating func bool(_ value: Bool) { literal(value ? "true" : "false") }
    package mutating func null() { literal("null") }

    /// Text that already is JSON.
    package mutating func raw(_ json: String) { literal(json) }

    package mutating func member(_ name: String, _ value: String) {
        key(name)
        string(value)
    }
    package mutating func member(_ name: String, _ value: Int) {
        key(name)
        int(value)
    }
    package mutating func member(_ name: String, _ value: Double) {
        key(name)
        double(value)
    }
    package mutating func member(_ name: String, _ value: Bool) {
        key(name)
        bool(value)
    }
    package mutating func memberNull(_ name: String) {
        key(name)
        null()
    }
    package mutating func memberObject(_ name: String, _ body: (inout JSONWriter) -> Void) {
        key(name)
        object(body)
    }
    package mutating func memberArray(_ name: String, _ body: (inout JSONWriter) -> Void) {
        key(name)
        array(body)
    }

    private mutating func begin(_ bracket: UInt8) {
        separate()
        buffer.writeInteger(bracket)
        needsComma = false
    }

    private mutating func end(_ bracket: UInt8) {
        buffer.writeInteger(bracket)
        needsComma = true
    }

    private mutating func literal(_ text: String) {
        separate()
        buffer.writeString(text)
    }

    private mutating func separate() {
        if needsComma { buffer.writeInteger(UInt8(ascii: ",")) }
        needsComma = true
    }

    private static func escape(_ text: String, into buffer: inout ByteBuffer) {
        var text = text
        text.withUTF8 { bytes in
            var clean = 0
            for (at, byte) in bytes.enumerated()
            where byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") {
                buffer.writeBytes(bytes[clean..<at])
                clean = at + 1
                switch byte {
                case UInt8(ascii: "\""): buffer.writeStaticString("\\\"")
                case UInt8(ascii: "\\"): buffer.writeStaticString("\\\\")
                case 0x0A: buffer.writeStaticString("\\n")
                case 0x0D: buffer.writeStaticString("\\r")
                case 0x09: buffer.writeStaticString("\\t")
                default:
                    buffer.writeString("\\u00" + (byte < 16 ? "0" : "") + String(byte, radix: 16))
                }
            }
            buffer.writeBytes(bytes[clean...])
        }
    }
}

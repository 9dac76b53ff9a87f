package import Foundation
import NIOCore

/// An argument of a command. Redis knows bytes only.
package enum RedisArgument: Sendable, Hashable, ExpressibleByStringLiteral, ExpressibleByStringInterpolation {
    case string(String)
    case bytes([UInt8])
    case data(Data)

    package init(stringLiteral value: String) {
        self = .string(value)
    }

    /// The decimal digits of a number.
    package static func integer(_ value: some BinaryInteger) -> RedisArgument {
        .string(String(value))
    }
}

/// A command with its arguments.
package struct RedisCommand: Sendable, Hashable {
    package var arguments: [RedisArgument]
    /// Time until a reply, where it is not the client's: for blocking reads.
    package var timeout: Duration?

    /// `RedisCommand("SET", "key", .bytes(value))`
    package init(_ arguments: RedisArgument..., timeout: Duration? = nil) {
        self.init(arguments, timeout: timeout)
    }

    package init(_ arguments: [RedisArgument], timeout: Duration? = nil) {
        self.arguments = arguments
        self.timeout = timeout
    }

    /// Writes the command as RESP.
    func write(to buffer: inout ByteBuffer) {
        buffer.writeStaticString("*")
        buffer.writeString(String(arguments.count))
        buffer.writeStaticString("\r\n")
        for argument in arguments { write(argument, to: &buffer) }
    }

    private func write(_ argument: RedisArgument, to buffer: inout ByteBuffer) {
        buffer.writeStaticString("$")
        switch argument {
        case .string(let text):
            buffer.writeString(String(text.utf8.count))
            buffer.writeStaticString("\r\n")
            buffer.writeString(text)
        case .bytes(let bytes):
            buffer.writeString(String(bytes.count))
            buffer.writeStaticString("\r\n")
            buffer.writeBytes(bytes)
        case .data(let data):
            buffer.writeString(String(data.count))
            buffer.writeStaticString("\r\n")
            buffer.writeBytes(data)
        }
        buffer.writeStaticString("\r\n")
    }
}

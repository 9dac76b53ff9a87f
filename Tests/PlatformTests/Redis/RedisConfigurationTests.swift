import NIOCore
import Testing

@testable import RedisClient

struct RedisConfigurationTests {
    @Test func `a URL says host, port, user, password and database`() throws {
        let plain = try RedisConfiguration(url: "redis://localhost")
        #expect((plain.host, plain.port, plain.database, plain.usesTLS) == ("localhost", 6379, 0, false))
        #expect(plain.password == nil)
        let full = try RedisConfiguration(url: "rediss://me:p%40ss@[::1]:7000/3")
        #expect((full.host, full.port, full.database, full.usesTLS) == ("::1", 7000, 3, true))
        #expect((full.user, full.password) == ("me", "p@ss"))
        #expect(full.greeting.first == RedisCommand("AUTH", "me", "p@ss"))
    }

    @Test(arguments: [
        "", "localhost:6379", "http://localhost", "redis://", "redis://:secret@/0", "redis://:secret@host/zero",
    ])
    func `a URL that cannot be used is refused without showing the password`(url: String) {
        let error = #expect(throws: RedisError.self) { try RedisConfiguration(url: url) }
        #expect(error?.code == .invalidConfiguration)
        #expect(error?.description.contains("secret") == false)
    }

    @Test func `commands are written as RESP, lengths in bytes`() {
        var buffer = ByteBuffer()
        RedisCommand("SET", "ä", .bytes([13, 10]), .integer(-1)).write(to: &buffer)
        #expect(String(buffer: buffer) == "*4\r\n$3\r\nSET\r\n$2\r\nä\r\n$2\r\n\r\n\r\n$2\r\n-1\r\n")
    }
}

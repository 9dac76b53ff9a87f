import CHiredis

/// Makes replies of the bytes that arrive, however they are cut. hiredis does the work.
///
/// Belongs to one connection and its event loop.
@safe final class ReplyReader {
    // Nobody else has it: made in init, freed in deinit.
    private let reader: UnsafeMutablePointer<redisReader>

    /// - Throws: `unavailable` when there is no memory for it.
    init() throws(RedisError) {
        guard let reader = unsafe redisReaderCreate() else {
            throw RedisError(.unavailable, "hiredis found no memory for a reader.")
        }
        unsafe self.reader = reader
    }

    deinit {
        unsafe redisReaderFree(reader)
    }

    /// Adds bytes. After an error nothing can be read any more.
    func feed(_ bytes: UnsafeRawBufferPointer) throws(RedisError) {
        guard let base = bytes.baseAddress else { return }
        guard unsafe redisReaderFeed(reader, base.assumingMemoryBound(to: CChar.self), bytes.count) == REDIS_OK else {
            throw violation()
        }
    }

    /// The next whole reply; nil until more bytes are there.
    func next() throws(RedisError) -> RESPValue? {
        var object: UnsafeMutableRawPointer?
        guard unsafe redisReaderGetReply(reader, &object) == REDIS_OK else { throw violation() }
        guard let object = unsafe object else { return nil }
        defer { unsafe freeReplyObject(object) }
        return unsafe Self.value(object.assumingMemoryBound(to: redisReply.self))
    }

    private func violation() -> RedisError {
        let text = unsafe withUnsafeBytes(of: reader.pointee.errstr) { bytes in
            unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        return RedisError(.protocolViolation, "What answers is not Redis: \(text.isEmpty ? "unreadable reply" : text).")
    }

    /// Depth is bounded by hiredis: it refuses more than 7 levels.
    private static func value(_ reply: UnsafeMutablePointer<redisReply>) -> RESPValue {
        switch unsafe reply.pointee.type {
        case REDIS_REPLY_STRING: unsafe .bytes(Array(bytes(reply)))
        case REDIS_REPLY_STATUS: unsafe .status(String(decoding: bytes(reply), as: UTF8.self))
        case REDIS_REPLY_ERROR: unsafe .error(String(decoding: bytes(reply), as: UTF8.self))
        case REDIS_REPLY_INTEGER: unsafe .integer(reply.pointee.integer)
        case REDIS_REPLY_ARRAY: unsafe .array(elements(reply))
        default: .null
        }
    }

    private static func bytes(_ reply: UnsafeMutablePointer<redisReply>) -> UnsafeRawBufferPointer {
        unsafe UnsafeRawBufferPointer(start: reply.pointee.str, count: reply.pointee.len)
    }

    private static func elements(_ reply: UnsafeMutablePointer<redisReply>) -> [RESPValue] {
        let elements = unsafe UnsafeBufferPointer(start: reply.pointee.element, count: reply.pointee.elements)
        return unsafe elements.map { element in unsafe element.map { unsafe value($0) } ?? .null }
    }
}

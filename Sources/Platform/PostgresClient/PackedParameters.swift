/// Parameters laid out as libpq wants them: one buffer, with pointers into it.
struct PackedParameters {
    private var bytes: [UInt8] = []
    /// Offset into `bytes`, nil for NULL.
    private var offsets: [Int?] = []
    private var lengths: [Int32] = []
    private var formats: [Int32] = []
    private var types: [UInt32] = []

    /// - Throws: `encoding` for text with a NUL, which PostgreSQL cannot store and libpq would cut off silently.
    init(_ values: [PostgresValue]) throws(PostgresError) {
        for (index, value) in values.enumerated() {
            switch value.storage {
            case .null:
                append(offset: nil, length: 0, format: 0, type: 0)
            case .text(let text):
                let offset = bytes.count
                bytes.append(contentsOf: text.utf8)
                if bytes[offset...].contains(0) {
                    throw PostgresError(.encoding, "parameter $\(index + 1) contains a NUL character")
                }
                append(offset: offset, length: bytes.count - offset, format: 0, type: 0)
                bytes.append(0)
            case .binary(let content, let type):
                append(offset: bytes.count, length: content.count, format: 1, type: type)
                bytes.append(contentsOf: content)
                // An empty value still needs an address inside the buffer.
                bytes.append(0)
            }
        }
    }

    private mutating func append(offset: Int?, length: Int, format: Int32, type: UInt32) {
        offsets.append(offset)
        lengths.append(Int32(clamping: length))
        formats.append(format)
        types.append(type)
    }

    /// Parameter count and types (0 = the server infers it).
    func withTypes<Value>(_ body: (Int32, UnsafePointer<UInt32>?) -> Value) -> Value {
        unsafe types.withUnsafeBufferPointer { unsafe body(Int32(types.count), $0.baseAddress) }
    }

    /// Parameter count, values, lengths and formats; the pointers are good inside `body` only.
    func withPointers<Value>(
        _ body: (Int32, UnsafePointer<UnsafePointer<CChar>?>?, UnsafePointer<Int32>?, UnsafePointer<Int32>?) -> Value
    ) -> Value {
        unsafe bytes.withUnsafeBytes { buffer in
            let base = unsafe buffer.bindMemory(to: CChar.self).baseAddress
            let pointers = unsafe offsets.map { offset in unsafe offset.flatMap { unsafe base?.advanced(by: $0) } }
            return unsafe pointers.withUnsafeBufferPointer { values in
                unsafe lengths.withUnsafeBufferPointer { lengths in
                    unsafe formats.withUnsafeBufferPointer { formats in
                        unsafe body(
                            Int32(offsets.count), values.baseAddress, lengths.baseAddress, formats.baseAddress)
                    }
                }
            }
        }
    }
}

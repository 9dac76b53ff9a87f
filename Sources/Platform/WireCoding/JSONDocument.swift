package import NIOCore

/// A JSON text, parsed once into a flat list of nodes; strings and numbers are decoded only when asked for.
///
/// Foundation's decoders cost 20-50 us for a message of a few hundred bytes, and a call has hundreds of them a minute. This costs
/// one allocation a message and looks at each byte once.
package struct JSONDocument: Sendable {
    struct Node: Sendable {
        enum Kind: UInt8, Sendable { case object, array, string, escapedString, number, yes, no, null }
        var kind: Kind
        /// Offsets into `bytes`: a string without its quotes, a number, or nothing of interest.
        var start: Int32
        var end: Int32
        /// Index of the node after this one and everything inside it.
        var next: Int32
    }

    let bytes: ByteBuffer
    let nodes: [Node]

    /// Throws `JSONError` for anything but one complete JSON value. Members follow their keys in `nodes`.
    package init(_ bytes: ByteBuffer) throws(JSONError) {
        self.bytes = bytes
        var parser = JSONParser()
        // A slice of its own, so that offsets start at zero.
        let failure: JSONError? = bytes.withUnsafeReadableBytes { raw in
            do throws(JSONError) {
                try parser.parse(raw)
                return nil
            } catch { return error }
        }
        if let failure { throw failure }
        nodes = parser.nodes
    }

    package init(_ text: String) throws(JSONError) { try self.init(ByteBuffer(string: text)) }

    package var root: JSONValue { JSONValue(document: self, index: 0) }
}

/// Why a text is not JSON.
package struct JSONError: Error, Sendable, Equatable, CustomStringConvertible {
    package var message: String
    /// Bytes from the start of the text.
    package var offset: Int

    package var description: String { "\(message) at byte \(offset)" }
}

/// One value of a document; a missing member is a value too, one without content, so that paths can be written without checks.
package struct JSONValue: Sendable {
    private let document: JSONDocument
    /// Negative: there is no such value.
    private let index: Int

    init(document: JSONDocument, index: Int) {
        self.document = document
        self.index = index
    }

    private var node: JSONDocument.Node? { index < 0 ? nil : document.nodes[index] }

    /// False for a member that is not there (a `null` exists).
    package var exists: Bool { index >= 0 }
    package var isNull: Bool { node?.kind == .null }
    package var isObject: Bool { node?.kind == .object }
    package var isArray: Bool { node?.kind == .array }

    /// The last member of that name.
    package subscript(_ key: StaticString) -> JSONValue {
        key.withUTF8Buffer { key in
            member { node, bytes in
                guard node.kind == .string, Int(node.end - node.start) == key.count else { return false }
                return bytes[Int(node.start)..<Int(node.end)].elementsEqual(key)
            }
        }
    }

    /// The last member of a name that is not known when compiling.
    package subscript(member name: String) -> JSONValue {
        guard let node, node.kind == .object else { return missing }
        var found = -1
        var at = index + 1
        while at < Int(node.next) {
            if JSONValue(document: document, index: at).string == name { found = at + 1 }
            at = Int(document.nodes[at + 1].next)
        }
        return JSONValue(document: document, index: found)
    }

    package subscript(_ position: Int) -> JSONValue {
        guard let node, node.kind == .array, position >= 0 else { return missing }
        var at = index + 1
        for _ in 0..<position where at < Int(node.next) { at = Int(document.nodes[at].next) }
        return at < Int(node.next) ? JSONValue(document: document, index: at) : missing
    }

    /// The elements of an array; empty for anything else.
    package var elements: [JSONValue] {
        guard let node, node.kind == .array else { return [] }
        return children(of: node).map { JSONValue(document: document, index: $0) }
    }

    /// The members of an object in their order; empty for anything else.
    package var members: [(key: String, value: JSONValue)] {
        guard let node, node.kind == .object else { return [] }
        var result: [(key: String, value: JSONValue)] = []
        var at = index + 1
        while at < Int(node.next) {
            let key = JSONValue(document: document, index: at).string ?? ""
            result.append((key, JSONValue(document: document, index: at + 1)))
            at = Int(document.nodes[at + 1].next)
        }
        return result
    }

    /// A string's text; nil for anything else. Lone surrogates and invalid UTF-8 become U+FFFD.
    package var string: String? {
        withStringBytes { raw, escaped in
            escaped ? JSONParser.unescape(raw) : String(decoding: raw, as: UTF8.self)
        }
    }

    package var bool: Bool? {
        switch node?.kind {
        case .yes: true
        case .no: false
        default: nil
        }
    }

    package var double: Double? {
        guard let node, node.kind == .number else { return nil }
        return Double(text(node))
    }

    /// A number that is whole and fits.
    package var int: Int? {
        guard let node, node.kind == .number else { return nil }
        let text = text(node)
        return Int(text) ?? Double(text).flatMap { Int(exactly: $0) }
    }

    /// True where this is the string `text`; allocates nothing.
    package func equals(_ text: StaticString) -> Bool {
        withStringBytes { raw, _ in text.withUTF8Buffer { $0.elementsEqual(raw) } } ?? false
    }

    /// The bytes between a string's quotes as they stand there, escapes included: for base64, which needs none.
    package func withRawString<Result>(_ body: (Span<UInt8>) -> Result) -> Result? {
        withStringBytes { raw, _ in body(raw.bindMemory(to: UInt8.self).span) }
    }

    /// The JSON text of this value as it stood in the document; empty where there is none.
    package var rawText: String {
        guard let node else { return "" }
        let isString = node.kind == .string || node.kind == .escapedString
        return document.bytes.withUnsafeReadableBytes { bytes in
            let quote = isString ? 1 : 0
            return String(decoding: bytes[(Int(node.start) - quote)..<(Int(node.end) + quote)], as: UTF8.self)
        }
    }

    /// The numbers of an array as doubles; anything else in it counts as 0.
    package var doubles: [Double] { elements.map { $0.double ?? 0 } }

    private var missing: JSONValue { JSONValue(document: document, index: -1) }

    private func children(of node: JSONDocument.Node) -> [Int] {
        var result: [Int] = []
        var at = index + 1
        while at < Int(node.next) {
            result.append(at)
            at = Int(document.nodes[at].next)
        }
        return result
    }

    private func member(_ matches: (JSONDocument.Node, UnsafeRawBufferPointer) -> Bool) -> JSONValue {
        guard let node, node.kind == .object else { return missing }
        return document.bytes.withUnsafeReadableBytes { bytes in
            var found = -1
            var at = index + 1
            while at < Int(node.next) {
                if matches(document.nodes[at], bytes) { found = at + 1 }
                at = Int(document.nodes[at + 1].next)
            }
            return JSONValue(document: document, index: found)
        }
    }

    private func withStringBytes<Result>(_ body: (UnsafeRawBufferPointer, Bool) -> Result) -> Result? {
        guard let node, node.kind == .string || node.kind == .escapedString else { return nil }
        return document.bytes.withUnsafeReadableBytes { bytes in
            body(UnsafeRawBufferPointer(rebasing: bytes[Int(node.start)..<Int(node.end)]), node.kind == .escapedString)
        }
    }

    private func text(_ node: JSONDocument.Node) -> String {
        document.bytes.withUnsafeReadableBytes { String(decoding: $0[Int(node.start)..<Int(node.end)], as: UTF8.self) }
    }
}

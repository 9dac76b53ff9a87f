import NIOCore
import WireCoding

/// A message of an RTVI client. Audio may come in one, fifty times a second, so it is parsed once and nothing is decoded that nobody asks for.
struct RTVIRequest {
    let type: String
    /// What its answer refers to.
    let id: String?
    let data: JSONValue

    init(_ json: ByteBuffer) throws(RTVIProblem) {
        let root: JSONValue
        do { root = try JSONDocument(json).root } catch { throw RTVIProblem("the message is not JSON: \(error)") }
        guard root.isObject else { throw RTVIProblem("the message is not a JSON object") }
        id = root["id"].string
        guard root["label"].equals("rtvi-ai") else { throw RTVIProblem("the message has no label 'rtvi-ai'", id: id) }
        guard let type = root["type"].string else { throw RTVIProblem("the message has no type", id: id) }
        guard id != nil || !root["id"].exists || root["id"].isNull else { throw RTVIProblem("'id' must be a text") }
        self.type = type
        data = root["data"]
        guard data.isObject || !data.exists || data.isNull else { throw RTVIProblem("'data' must be an object", id: id) }
    }

    func problem(_ text: String) -> RTVIProblem { RTVIProblem("\(type): \(text)", id: id) }
}

/// What was wrong with a client's message; the client is told.
struct RTVIProblem: Error, CustomStringConvertible {
    let id: String?
    let description: String

    init(_ description: String, id: String? = nil) {
        self.id = id
        self.description = description
    }

    /// An answer to the message, or an error that stands alone where there is nothing to refer to.
    var message: RTVIMessage {
        guard let id else { return RTVIMessage(type: "error", data: ["error": description, "fatal": false]) }
        return RTVIMessage(type: "error-response", id: id, data: ["error": description])
    }
}

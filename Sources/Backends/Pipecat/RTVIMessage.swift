package import Foundation

/// An RTVI message: `{"label":"rtvi-ai","type":T,"id":S,"data":{…}}`. Control traffic only; audio never passes through JSON here.
package struct RTVIMessage {
    package var type: String
    package var id: String?
    package var data: [String: Any]

    package init(type: String, id: String? = nil, data: [String: Any] = [:]) {
        self.type = type
        self.id = id
        self.data = data
    }

    /// RTVI protocol version that the agent speaks.
    package static let version = "2.2.0"

    /// What was wrong with a client's message; the client gets the text in an `error-response`.
    package struct Malformed: Error, CustomStringConvertible {
        package let id: String?
        package let description: String
    }

    package static func decode(_ json: Data) throws(Malformed) -> RTVIMessage {
        guard let object = (try? JSONSerialization.jsonObject(with: json)) as? [String: Any] else {
            throw Malformed(id: nil, description: "the message is not a JSON object")
        }
        let id = object["id"] as? String
        guard object["label"] as? String == "rtvi-ai" else {
            throw Malformed(id: id, description: "the message has no label 'rtvi-ai'")
        }
        guard let type = object["type"] as? String else { throw Malformed(id: id, description: "the message has no type") }
        return RTVIMessage(type: type, id: id, data: object["data"] as? [String: Any] ?? [:])
    }

    package func encode() -> Data {
        var object: [String: Any] = ["label": "rtvi-ai", "type": type]
        if let id { object["id"] = id }
        if !data.isEmpty { object["data"] = data }
        // Values are texts, numbers, booleans, arrays and dictionaries only, which always serialise.
        return (try? JSONSerialization.data(withJSONObject: object, options: [.sortedKeys, .withoutEscapingSlashes])) ?? Data()
    }
}

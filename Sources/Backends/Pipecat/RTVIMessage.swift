package import Foundation
package import NIOCore
import WireCoding

/// An RTVI message: `{"label":"rtvi-ai","type":T,"id":S,"data":{…}}`. Control traffic only; audio never passes through it.
package struct RTVIMessage {
    package var type: String
    package var id: String?
    /// Left out where it is empty, but for types that must have one.
    package var data: [String: Any]

    package init(type: String, id: String? = nil, data: [String: Any] = [:]) {
        self.type = type
        self.id = id
        self.data = data
    }

    /// RTVI protocol version that the agent speaks.
    package static let version = "\(RTVIVersion.current)"

    /// A member of `data` that is JSON text already.
    struct Raw { let json: String }

    /// A message without label, type or an object as its data.
    package struct Malformed: Error {}

    /// Reads what an agent sends, for callers.
    package static func decode(_ json: Data) throws(Malformed) -> RTVIMessage {
        guard let object = (try? JSONSerialization.jsonObject(with: json)) as? [String: Any], object["label"] as? String == "rtvi-ai",
            let type = object["type"] as? String
        else { throw Malformed() }
        return RTVIMessage(type: type, id: object["id"] as? String, data: object["data"] as? [String: Any] ?? [:])
    }

    /// The message as JSON text. Ten transcripts a second of every speaking caller pass here.
    package func encode() -> ByteBuffer {
        var json = JSONWriter()
        json.object { json in
            if !data.isEmpty || type == "llm-function-call-started" {
                json.key("data")
                Self.write(data, to: &json)
            }
            if let id { json.member("id", id) }
            json.member("label", "rtvi-ai")
            json.member("type", type)
        }
        return json.buffer
    }

    /// Texts, numbers, booleans, arrays, dictionaries and raw JSON; anything else becomes null. Keys are sorted.
    private static func write(_ value: Any, to json: inout JSONWriter) {
        switch value {
        case let text as String: json.string(text)
        case let bool as Bool: json.bool(bool)
        case let int as Int: json.int(int)
        case let double as Double: json.double(double)
        case let raw as Raw: json.raw(raw.json)
        case let members as [String: Any]:
            json.object { json in
                for (name, member) in members.sorted(by: { $0.key < $1.key }) {
                    json.key(name)
                    write(member, to: &json)
                }
            }
        case let elements as [Any]: json.array { json in for element in elements { write(element, to: &json) } }
        default: json.null()
        }
    }
}

import Foundation

/// Reads the arguments of `record_lead`.
enum RecordLeadArguments {
    struct Malformed: Error, CustomStringConvertible {
        let description: String
    }

    /// Values by slot, declined ones among them. Values may be texts or numbers; empty ones are left out.
    static func parse(_ json: String, lastWords: String) throws(Malformed) -> [SlotValue] {
        guard let object = (try? JSONSerialization.jsonObject(with: Data(json.utf8))) as? [String: Any] else {
            throw Malformed(description: "the arguments of record_lead must be a JSON object")
        }
        let words = (object["words"] as? String) ?? lastWords
        var slots: [SlotValue] = []
        for key in object.keys.sorted() where key != "words" && key != "refused" {
            let value = (object[key] as? String) ?? (object[key] as? NSNumber)?.stringValue ?? ""
            if !value.isEmpty { slots.append(SlotValue(slot: key, value: value, words: words)) }
        }
        for name in (object["refused"] as? [String]) ?? [] {
            slots.append(SlotValue(slot: name, value: "", words: words, refused: true))
        }
        return slots
    }
}

package import Conversation

extension ProviderConfiguration {
    /// Refuses options this provider does not know: a misspelt key must not pass silently.
    package func allowOptions(_ known: String...) throws(ProviderError) {
        for key in options.keys.sorted() where !known.contains(key) {
            throw invalid("unknown option '\(key)'; known: \(known.sorted().joined(separator: ", "))")
        }
    }

    /// A number within bounds, or an error that names the option.
    package func number(_ key: String, _ range: ClosedRange<Double>) throws(ProviderError) -> Double? {
        guard let text = options[key] else { return nil }
        guard let value = Double(text), range.contains(value) else {
            throw invalid("option \(key): '\(text)' is not a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return value
    }

    /// The operator's key, or an error that names the variable.
    package func key(_ variable: String) throws(ProviderError) -> String {
        do { return try required(variable) } catch let error as ProviderError { throw error } catch {
            throw ProviderError(.authentication, provider: name, message: "set \(variable)")
        }
    }

    /// `true` or `false`.
    package func flag(_ key: String) throws(ProviderError) -> Bool? {
        switch options[key] {
        case nil: return nil
        case "true", "yes", "on", "1": return true
        case "false", "no", "off", "0": return false
        case .some(let text): throw invalid("option \(key): '\(text)' is not true or false")
        }
    }

    /// The operator's base URL without a slash at its end, or the vendor's.
    package func baseURL(_ variable: String, default fallback: String) throws(ProviderError) -> String {
        var url = environment(variable).flatMap { $0.isEmpty ? nil : $0 } ?? fallback
        while url.last == "/" { url.removeLast() }
        let scheme = url.prefix { $0 != ":" }.lowercased()
        guard ["http", "https", "ws", "wss"].contains(scheme), url.contains("://") else {
            throw invalid("\(variable) is not a URL")
        }
        return url
    }

    package func invalid(_ message: String) -> ProviderError {
        ProviderError(.invalidRequest, provider: name, message: message)
    }
}

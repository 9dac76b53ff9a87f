package import Cryptography

extension EnvironmentKey where Value == String {
    /// Any text.
    package static func string(_ name: String, default defaultText: String?, help: String) -> Self {
        Self(name, type: "text", default: defaultText, help: help) { $0 }
    }

    /// An absolute URL with one of `schemes`, as text without a slash at its end.
    package static func url(_ name: String, schemes: [String], default defaultText: String?, help: String) -> Self {
        let type = schemes.map { "\($0)://..." }.joined(separator: " or ")
        return Self(name, type: type, default: defaultText, help: help) { text in
            guard let scheme = schemes.first(where: { text.hasPrefix("\($0)://") }),
                text.utf8.count > scheme.utf8.count + 3, !text.contains(where: \.isWhitespace)
            else { return nil }
            return text.hasSuffix("/") ? String(text.dropLast()) : text
        }
    }
}

extension EnvironmentKey where Value == Secret {
    /// Any text, never shown.
    package static func secret(_ name: String, default defaultText: String? = nil, help: String) -> EnvironmentKey<
        Secret
    > {
        Self(name, type: "secret", default: defaultText, help: help, isSecret: true) { Secret($0) }
    }
}

extension EnvironmentKey where Value == KeyRing {
    /// Signing keys, `id:secret,id:secret`, the current one first.
    package static func keyRing(_ name: String, default defaultText: String? = nil, help: String) -> EnvironmentKey<
        KeyRing
    > {
        Self(
            name, type: "id:secret,... with at least 16 bytes each, current key first", default: defaultText,
            help: help, isSecret: true
        ) { try? KeyRing(parsing: Secret($0)) }
    }
}

extension EnvironmentKey where Value == Int {
    /// A whole number in `range`.
    package static func integer(
        _ name: String, in range: ClosedRange<Int>, default defaultText: String?, help: String
    ) -> Self {
        Self(name, type: "whole number \(range.lowerBound)...\(range.upperBound)", default: defaultText, help: help) {
            text in
            Int(text).flatMap { range.contains($0) ? $0 : nil }
        }
    }
}

extension EnvironmentKey where Value == Double {
    /// A number in `range`.
    package static func number(
        _ name: String, in range: ClosedRange<Double>, default defaultText: String?, help: String
    ) -> Self {
        Self(name, type: "number \(range.lowerBound)...\(range.upperBound)", default: defaultText, help: help) { text in
            Double(text).flatMap { range.contains($0) ? $0 : nil }
        }
    }
}

extension EnvironmentKey where Value == Bool {
    /// Yes or no.
    package static func flag(_ name: String, default defaultValue: Bool, help: String) -> Self {
        Self(name, type: "true or false", default: defaultValue ? "true" : "false", help: help) { text in
            switch text.lowercased() {
            case "1", "true", "yes", "on": true
            case "0", "false", "no", "off": false
            default: nil
            }
        }
    }
}

extension EnvironmentKey where Value == Duration {
    /// A time in `range`, written with its unit: `250ms`, `30s`, `5m`, `1h`, `7d`.
    package static func duration(
        _ name: String, in range: ClosedRange<Duration>, default defaultText: String?, help: String
    ) -> Self {
        let (least, most) = (DurationText.format(range.lowerBound), DurationText.format(range.upperBound))
        return Self(name, type: "duration \(least)...\(most)", default: defaultText, help: help) { text in
            DurationText.parse(text).flatMap { range.contains($0) ? $0 : nil }
        }
    }
}

extension EnvironmentKey where Value == NetworkAddress {
    /// A host and a port.
    package static func address(_ name: String, default defaultText: String?, help: String) -> Self {
        Self(name, type: "host:port", default: defaultText, help: help) { NetworkAddress($0) }
    }
}

extension EnvironmentKey where Value == [NetworkAddress] {
    /// Hosts and ports separated by commas; at least one.
    package static func addresses(_ name: String, default defaultText: String?, help: String) -> Self {
        Self(name, type: "host:port,...", default: defaultText, help: help) { text in
            let parts = text.split(separator: ",").map { $0.filter { !$0.isWhitespace } }
            let addresses = parts.compactMap { NetworkAddress($0) }
            return addresses.isEmpty || addresses.count < parts.count ? nil : addresses
        }
    }
}

extension EnvironmentKey where Value == [String] {
    /// Texts separated by commas; white space around them and empty ones are dropped.
    package static func list(_ name: String, default defaultText: String?, help: String) -> Self {
        Self(name, type: "texts separated by commas", default: defaultText, help: help) { text in
            text.split(separator: ",").map { entry in
                String(entry.drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed())
            }.filter { !$0.isEmpty }
        }
    }
}

extension EnvironmentKey where Value: RawRepresentable & CaseIterable, Value.RawValue == String {
    /// One of the names of an enumeration.
    package static func choice(_ name: String, default defaultValue: Value?, help: String) -> Self {
        let type = Value.allCases.map(\.rawValue).joined(separator: " or ")
        return Self(name, type: type, default: defaultValue?.rawValue, help: help) { Value(rawValue: $0) }
    }
}

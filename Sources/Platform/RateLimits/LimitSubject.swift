/// Whom a limit is about.
package struct LimitSubject: Sendable, Hashable, CustomStringConvertible {
    package enum Kind: String, Sendable {
        /// A network address, or the block of them that belongs to one customer.
        case address
        /// An API key, by its id.
        case key
        case tenant
        /// An account with a provider, by vendor or `vendor/model`.
        case provider
    }

    package var kind: Kind
    package var id: String

    package init(_ kind: Kind, _ id: String) {
        self.kind = kind
        self.id = id
    }

    package static func address(_ id: String) -> LimitSubject { LimitSubject(.address, id) }
    package static func key(_ id: String) -> LimitSubject { LimitSubject(.key, id) }
    package static func tenant(_ id: String) -> LimitSubject { LimitSubject(.tenant, id) }
    package static func provider(_ id: String) -> LimitSubject { LimitSubject(.provider, id) }

    package var description: String { kind == .key ? "API key \(id)" : "\(kind.rawValue) \(id)" }
}

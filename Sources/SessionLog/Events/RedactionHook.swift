/// Sees events before they are stored, to take out what must not be kept.
///
/// It runs in the session store for every event of every session: it must be quick and must not wait. Fence, sequence and the kind of the body
/// must stay as they are; a result that changes them is not used.
package protocol RedactionHook: Sendable {
    /// What configuration calls it.
    static var name: String { get }
    /// The event as it may be stored, or nil when it may be stored as it is.
    func redact(_ event: Event) -> Event?
}

/// Stores events as they are.
package struct NoRedaction: RedactionHook {
    package static let name = "none"

    package init() {}

    package func redact(_ event: Event) -> Event? { nil }
}

/// The hooks that configuration can name. Plug-ins add theirs where the executable is wired.
package struct RedactionRegistry: Sendable {
    private var hooks: [String: any RedactionHook] = [:]

    /// With the built-in hooks `none` and `digits`.
    package init() {
        register(NoRedaction())
        register(DigitRedaction())
    }

    package mutating func register<Hook: RedactionHook>(_ hook: Hook) {
        hooks[Hook.name] = hook
    }

    /// The hook of that name; nil when nobody registered one.
    package func hook(_ name: String) -> (any RedactionHook)? { hooks[name] }
    package var names: [String] { hooks.keys.sorted() }
}

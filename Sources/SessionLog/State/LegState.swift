/// A leg of a session: a caller, a second caller, the person a call was taken over to.
package struct LegState: Hashable, Sendable {
    /// The attachment that counts: the newest, while it lasts; nil while nobody is attached.
    package private(set) var current: Attached?
    /// The newest attachment that ever was; its handshake lets another worker go on after a detachment.
    package private(set) var latest: Attached?
    /// Why the newest attachment ended; nil while it lasts.
    package private(set) var detachedBecause: String?
    package private(set) var attachments = 0

    package init() {}

    mutating func attach(_ attached: Attached) {
        current = attached
        latest = attached
        detachedBecause = nil
        attachments += 1
    }

    mutating func detach(_ detached: Detached) {
        // An older attachment's end says nothing about the newer one. An event that names none means whichever there is.
        guard detached.attachment.isEmpty || detached.attachment == current?.attachment else { return }
        current = nil
        detachedBecause = detached.reason
    }
}

/// A leg of a session: a caller, a second caller, the person a call was taken over to.
package struct LegState: Hashable, Sendable {
    /// The attachment that counts: the newest, while it lasts; nil while nobody is attached.
    package private(set) var current: Attached?
    /// The newest attachment that ever was; its handshake lets another worker go on after a detachment.
    package private(set) var latest: Attached?
    /// Why the newest attachment ended; nil while it lasts.
    package private(set) var detachedBecause: String?
    package private(set) var attachments = 0
    /// Number of the caller's last message that a turn of the log covers, within the newest attachment; 0 before the first.
    package private(set) var covered: UInt64 = 0
    /// Number of the caller's last message whose keys are in the log, within the newest attachment.
    package private(set) var pressed: UInt64 = 0

    package init() {}

    /// An attachment may be logged again: by the next owner, or when the client has said who it is.
    mutating func attach(_ attached: Attached) {
        if attached.attachment != latest?.attachment {
            attachments += 1
            covered = 0
            pressed = 0
        }
        current = attached
        latest = attached
        detachedBecause = nil
    }

    mutating func cover(through message: UInt64) { covered = max(covered, message) }
    mutating func press(through message: UInt64) { pressed = max(pressed, message) }

    mutating func detach(_ detached: Detached) {
        // An older attachment's end says nothing about the newer one. An event that names none means whichever there is.
        guard detached.attachment.isEmpty || detached.attachment == current?.attachment else { return }
        current = nil
        detachedBecause = detached.reason
    }
}

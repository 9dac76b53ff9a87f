import NIOCore

/// Plays one fault on one connection or answer. Confined to its event loop.
final class FaultPlayer {
    /// True once nothing may be sent any more.
    private(set) var isMuted = false
    /// Delays are multiplied by this.
    let slowness: Double
    private var timer: Scheduled<Void>?

    /// The closures are what breaking means for the transport at hand.
    init(
        _ fault: Fault, on eventLoop: any EventLoop, reset: @escaping () -> Void, garbage: @escaping () -> Void,
        error: @escaping () -> Void
    ) {
        slowness = if case .slow(let factor) = fault { factor } else { 1 }
        let (after, body): (Int, () -> Void)
        switch fault {
        case .none, .refuse, .status, .slow: return
        case .reset(let time): (after, body) = (time, reset)
        case .garbage(let time): (after, body) = (time, garbage)
        case .midStreamError(let time): (after, body) = (time, error)
        case .stall(let time): (after, body) = (time, { [weak self] in self?.isMuted = true })
        }
        timer = eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(Int64(after)), body)
    }

    func cancel() { timer?.cancel() }
}

public import Audio

/// The way out to the caller: a backend's media half. Used on the session's event loop only, and never calls back from inside.
public protocol MediaPort: AnyObject, Sendable {
    /// Sends the next samples of a reply, 16 kHz mono. `firstSample` counts from the reply's first sample.
    func play(_ samples: Span<Int16>, reply: ReplyNumber, firstSample: SessionTime)
    /// How much of what was played has not gone to the client yet, as far as that is known. Nothing more is played while it is too much.
    var untaken: SessionTime { get }
    /// The caller must stop hearing this reply and earlier ones at once; overtakes audio. `heard`: what of it counts as heard.
    func clear(reply: ReplyNumber, heard: SessionTime)
    /// The client can be told to `clear` without taking that for an interruption. Where it cannot, an agent that only pauses lets it play what it has.
    var dropsQuietly: Bool { get }
    /// Tells the client what happens, in the backend's own way; in order with the audio.
    func notify(_ notice: ClientNotice)
    /// Number of the caller's message that was handled last; 0 where messages have none.
    var handled: UInt64 { get }
    /// Messages of the caller up to this number are in the log, or mean nothing: they need not be kept for another worker.
    func release(through number: UInt64)
    /// What another worker needs to go on with this client.
    var client: ClientRecord { get }
    /// Has the caller call somebody else, at a `tel:` or `sip:` URI. `done` is called once, on any thread: with nil when that has worked, and the caller
    /// leaves or has left; else with what went wrong, for the agent. Of backends that have the capability `transfer`.
    func transfer(to target: String, _ done: @escaping @Sendable (_ problem: String?) -> Void)
    /// Another worker takes the session; the caller stays connected.
    func handOver()
    /// Ends the connection.
    func end(_ reason: EndReason)
    /// Sends what the calls of this tick have queued.
    func flush()
    /// Positions reported by the backend are exact (it has marks).
    var hasMarks: Bool { get }
}

extension MediaPort {
    public var dropsQuietly: Bool { true }

    public func transfer(to target: String, _ done: @escaping @Sendable (_ problem: String?) -> Void) {
        done("calls of this kind cannot be transferred")
    }
}

package import NIOCore

/// Bounds and deadlines of one WebSocket, the same for both ends.
package struct WebSocketConfiguration: Sendable {
    /// Longest message accepted, in bytes, reassembled from its fragments; longer closes with 1009.
    package var maximumMessageBytes: Int
    /// Most bytes waiting to be written; a `send` above that is dropped, counted and answered with false.
    package var maximumPendingBytes: Int
    /// A ping is sent when nothing was received for this long.
    package var pingInterval: TimeAmount
    /// The connection counts as dead when nothing was received for this long. Rounded up to whole ping intervals.
    package var idleDeadline: TimeAmount
    /// How long the peer may take to answer our close frame before the transport is closed.
    package var closeDeadline: TimeAmount
    /// Bytes waiting to be written above which `isWritable` turns false, and below which it turns true again.
    package var writeBufferHigh: Int
    package var writeBufferLow: Int

    package init(
        maximumMessageBytes: Int = 1 << 20, maximumPendingBytes: Int = 4 << 20, pingInterval: TimeAmount = .seconds(10),
        idleDeadline: TimeAmount = .seconds(30), closeDeadline: TimeAmount = .seconds(2),
        writeBufferHigh: Int = 64 << 10,
        writeBufferLow: Int = 32 << 10
    ) {
        self.maximumMessageBytes = maximumMessageBytes
        self.maximumPendingBytes = maximumPendingBytes
        self.pingInterval = pingInterval
        self.idleDeadline = idleDeadline
        self.closeDeadline = closeDeadline
        self.writeBufferHigh = writeBufferHigh
        self.writeBufferLow = writeBufferLow
    }

    /// Ping intervals without a byte after which the connection is dead; at least one.
    var silentIntervalsAllowed: Int {
        let interval = max(1, pingInterval.nanoseconds)
        return Int(max(1, (idleDeadline.nanoseconds + interval - 1) / interval))
    }
}

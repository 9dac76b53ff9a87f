/// The providers that are simulated.
package enum SimulatedVendor: String, Sendable, Hashable, CaseIterable {
    case deepgram, openai, anthropic, elevenlabs, cartesia
}

/// Something that goes wrong with one request or connection.
package enum Fault: Sendable, Hashable {
    /// None: for scripts in which only the third request fails.
    case none
    /// The connection is closed without an answer.
    case refuse
    /// An HTTP status with the vendor's error body; `retryAfter` in seconds.
    case status(Int, retryAfter: Double?)
    /// The connection is cut after so many milliseconds.
    case reset(after: Int)
    /// Nothing is sent any more after so many milliseconds, the connection stays.
    case stall(after: Int)
    /// A frame or chunk that is not the protocol, after so many milliseconds; then it goes on.
    case garbage(after: Int)
    /// All delays are multiplied.
    case slow(factor: Double)
    /// The vendor's error inside a stream that began well, after so many milliseconds.
    case midStreamError(after: Int)
}

/// Which faults happen: a script first, in order, then chance.
package struct FaultPlan: Sendable {
    /// Consumed one per request or connection.
    package var script: [SimulatedVendor: [Fault]] = [:]
    /// Tried in order for each request; probabilities from 0 to 1.
    package var chances: [SimulatedVendor: [Chance]] = [:]

    package struct Chance: Sendable, Hashable {
        package var fault: Fault
        package var probability: Double
        package init(_ fault: Fault, probability: Double) {
            self.fault = fault
            self.probability = probability
        }
    }

    package init() {}

    mutating func next(_ vendor: SimulatedVendor, using random: inout SimulatorRandom) -> Fault {
        if let scripted = script[vendor]?.first {
            script[vendor]?.removeFirst()
            return scripted
        }
        for chance in chances[vendor] ?? [] where Double.random(in: 0..<1, using: &random) < chance.probability {
            return chance.fault
        }
        return .none
    }
}

import NIOCore

/// Requests that wait for an answer of the client library, by their numbers. Pure: an event loop that has made some looks now and then which
/// of its own are late.
struct AwaitedAnswers {
    typealias Answer = LiveKitLibrary.Answer

    struct Request {
        var done: Answer
        var patience: TimeAmount
        var deadline: NIODeadline
        /// Its clock is the one that counts.
        var eventLoop: any EventLoop
    }

    private var requests: [UInt64: Request] = [:]
    /// Event loops that look for late requests, until none of theirs waits.
    private var looking: [ObjectIdentifier: any EventLoop] = [:]
    private var lastNumber: UInt64 = 0

    var count: Int { requests.count }

    /// Answers the request's number, never 0, and whether its event loop must begin to look for late ones.
    mutating func add(on eventLoop: any EventLoop, within patience: TimeAmount, _ done: @escaping Answer) -> (number: UInt64, looks: Bool) {
        let number = number()
        requests[number] = Request(done: done, patience: patience, deadline: eventLoop.now + patience, eventLoop: eventLoop)
        return (number, looking.updateValue(eventLoop, forKey: ObjectIdentifier(eventLoop)) == nil)
    }

    /// A number that no other request has, never 0.
    mutating func number() -> UInt64 {
        lastNumber += 1
        return lastNumber
    }

    /// The request is answered, or was not made; nil where nobody waits for it.
    @discardableResult
    mutating func remove(_ number: UInt64) -> Answer? { requests.removeValue(forKey: number)?.done }

    /// Forgets the event loop's requests that are late, and answers them. `goesOn`: others of it wait, so it must look again.
    mutating func removeLate(on eventLoop: any EventLoop) -> (late: [Request], goesOn: Bool) {
        let now = eventLoop.now
        let own = requests.filter { $0.value.eventLoop === eventLoop }
        let late = own.filter { $0.value.deadline <= now }
        for number in late.keys { requests[number] = nil }
        let goesOn = late.count < own.count
        if !goesOn { looking[ObjectIdentifier(eventLoop)] = nil }
        return (late.sorted { $0.key < $1.key }.map(\.value), goesOn)
    }

    mutating func removeAll() { requests = [:] }
}

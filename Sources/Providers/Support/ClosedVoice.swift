package import Conversation

/// What a voice is that could not be opened: it says nothing.
package final class ClosedVoice: SynthesisStream {
    package init() {}
    package func speak(_ text: String, as sentence: SentenceID, last: Bool) {}
    package func cancel(reply: UInt32) {}
    package func close() {}
}

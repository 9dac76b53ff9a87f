package import Conversation

/// Speech of one text: 16 kHz mono samples and where its words are.
package struct SynthesisedSpeech: Sendable {
    package var samples: [Int16]
    package var words: [SpokenWord]

    package init(samples: [Int16], words: [SpokenWord]) {
        self.samples = samples
        self.words = words
    }
}

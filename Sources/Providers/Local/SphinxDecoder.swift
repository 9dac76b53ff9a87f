import CPocketSphinx
import Foundation

/// One PocketSphinx decoder: the general language model and any number of grammars. Not thread-safe: one utterance of one
/// stream at a time; whoever borrows it from the pool owns it meanwhile.
///
/// Unchecked because it holds raw pointers; that one owner at a time is the only one who touches them.
@safe final class SphinxDecoder: @unchecked Sendable {
    private let decoder: OpaquePointer
    private var grammars: Set<String> = []

    private static let general = "general"

    init(models directory: String) throws(LocalSpeechError) {
        let acoustic = "\(directory)/en-us", language = "\(directory)/en-us.lm.bin", dictionary = "\(directory)/cmudict-en-us.dict"
        for path in [acoustic, language, dictionary] where !FileManager.default.fileExists(atPath: path) {
            throw LocalSpeechError(
                .modelMissing, "PocketSphinx's model \(path) is missing: install pocketsphinx-en-us or set PARLEY_POCKETSPHINX_MODEL_DIR")
        }
        guard let configuration = unsafe parley_ps_config(acoustic, nil, dictionary), let decoder = unsafe ps_init(configuration) else {
            throw LocalSpeechError(.engineFailed, "PocketSphinx cannot load its model from \(directory)")
        }
        unsafe self.decoder = decoder
        guard unsafe ps_set_lm_file(decoder, Self.general, language) == 0 else {
            unsafe _ = ps_free(decoder)
            throw LocalSpeechError(.engineFailed, "PocketSphinx cannot load the language model \(language)")
        }
    }

    deinit { unsafe _ = ps_free(decoder) }

    /// Begins an utterance with a grammar by name, or with the general model.
    func begin(grammar name: String?) throws(LocalSpeechError) {
        let search = try select(name)
        guard unsafe ps_set_search(decoder, search) == 0, unsafe ps_start_utt(decoder) == 0 else {
            throw LocalSpeechError(.engineFailed, "PocketSphinx cannot begin an utterance")
        }
    }

    /// Recognises more of the utterance and returns what it has understood so far.
    func process(_ samples: [Int16]) -> String {
        unsafe samples.withUnsafeBufferPointer { buffer in
            _ = unsafe ps_process_raw(decoder, buffer.baseAddress, buffer.count, 0, 0)
        }
        return hypothesis()
    }

    /// Ends the utterance and returns what was said.
    func end() -> String {
        unsafe _ = ps_end_utt(decoder)
        return hypothesis()
    }

    private func hypothesis() -> String {
        var score: Int32 = 0
        guard let text = unsafe ps_get_hyp(decoder, &score) else { return "" }
        return unsafe String(cString: text)
    }

    private func select(_ name: String?) throws(LocalSpeechError) -> String {
        guard let name else { return Self.general }
        if grammars.contains(name) { return name }
        guard let grammar = SpeechGrammars.jsgf(name) else { return Self.general }
        guard unsafe ps_set_jsgf_string(decoder, name, grammar) == 0 else {
            throw LocalSpeechError(.unknownGrammar, "PocketSphinx does not take the grammar '\(name)'")
        }
        grammars.insert(name)
        return name
    }
}

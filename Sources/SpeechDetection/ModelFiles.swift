#if canImport(Darwin)
    import Darwin
#else
    import Glibc
#endif

/// Where ONNX Runtime and the speech models lie, as `deploy/fetch-models` installs them.
package struct ModelFiles: Sendable, Equatable {
    /// The directory of the models.
    package var directory: String
    /// The path of the ONNX Runtime library.
    package var runtimeLibrary: String

    /// The library defaults to `libonnxruntime.so` among the models.
    package init(directory: String, runtimeLibrary: String? = nil) {
        self.directory = directory
        self.runtimeLibrary = runtimeLibrary ?? "\(directory)/libonnxruntime.so"
    }

    /// Reads `PARLEY_MODELS_DIR` (else `.local/models` under the working directory) and `PARLEY_ONNXRUNTIME_LIB`.
    /// Empty values count as unset.
    package init(environment: [String: String]) {
        func value(_ name: String) -> String? {
            environment[name].flatMap { $0.isEmpty ? nil : $0 }
        }
        self.init(
            directory: value("PARLEY_MODELS_DIR") ?? ".local/models", runtimeLibrary: value("PARLEY_ONNXRUNTIME_LIB"))
    }

    /// The path of a model that can be read.
    func model(_ name: String) throws(SpeechDetectionError) -> String {
        let path = "\(directory)/\(name)"
        guard isReadable(path) else {
            throw SpeechDetectionError(
                .modelMissing,
                "no readable model at \(path); run ./deploy/fetch-models, or set PARLEY_MODELS_DIR to the directory with \(name)"
            )
        }
        return path
    }

    /// The path of the runtime library, which can be read.
    func library() throws(SpeechDetectionError) -> String {
        guard isReadable(runtimeLibrary) else {
            throw SpeechDetectionError(
                .runtimeMissing,
                "no ONNX Runtime at \(runtimeLibrary); run ./deploy/fetch-models, or set PARLEY_ONNXRUNTIME_LIB to the library"
            )
        }
        return runtimeLibrary
    }

    private func isReadable(_ path: String) -> Bool {
        unsafe access(path, R_OK) == 0
    }
}

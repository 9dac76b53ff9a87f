import Foundation
import Testing

@testable import SpeechDetection

@Suite("Model files")
struct ModelFilesTests {
    @Test("the environment says where the models are")
    func environment() {
        #expect(ModelFiles(environment: [:]) == ModelFiles(directory: ".local/models"))
        #expect(ModelFiles(environment: ["PARLEY_MODELS_DIR": ""]).runtimeLibrary == ".local/models/libonnxruntime.so")
        let both = ModelFiles(environment: [
            "PARLEY_MODELS_DIR": "/m", "PARLEY_ONNXRUNTIME_LIB": "/l/libonnxruntime.so.1",
        ])
        #expect(both == ModelFiles(directory: "/m", runtimeLibrary: "/l/libonnxruntime.so.1"))
    }

    @Test("a missing library names its path and the remedies")
    func missingLibrary() throws {
        let files = ModelFiles(directory: "/nowhere")
        let error = try #require(throws: SpeechDetectionError.self) { try OnnxRuntime(files: files) }
        #expect(error.code == .runtimeMissing)
        for word in ["/nowhere/libonnxruntime.so", "./deploy/fetch-models", "PARLEY_ONNXRUNTIME_LIB"] {
            #expect(error.message.contains(word))
        }
    }

    @Test(
        "a file that is no library, and a library that is not the runtime, are told apart from it",
        arguments: [#filePath, "/lib/x86_64-linux-gnu/libm.so.6"])
    func wrongLibrary(path: String) throws {
        guard FileManager.default.fileExists(atPath: path) else { return }
        let files = ModelFiles(directory: "/nowhere", runtimeLibrary: path)
        let error = try #require(throws: SpeechDetectionError.self) { try OnnxRuntime(files: files) }
        #expect(error.code == .runtimeMissing)
        #expect(error.message.contains(path))
    }

    @Test("a missing model names its path and the remedies")
    func missingModel() throws {
        var files = Models.files()
        let runtime = try OnnxRuntime(files: files)
        files.directory = "/nowhere"
        let error = try #require(throws: SpeechDetectionError.self) { try SileroVAD(files: files, runtime: runtime) }
        #expect(error.code == .modelMissing)
        for word in ["/nowhere/silero_vad_16k.onnx", "./deploy/fetch-models", "PARLEY_MODELS_DIR"] {
            #expect(error.message.contains(word))
        }
    }

    @Test("a file that is not the model is refused when it is loaded")
    func wrongModel() throws {
        let files = Models.files()
        let runtime = try OnnxRuntime(files: files)
        let folder = FileManager.default.temporaryDirectory.appending(path: "parley-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let wrong = ModelFiles(directory: folder.path, runtimeLibrary: files.runtimeLibrary)

        try Data("not a model".utf8).write(to: folder.appending(path: SileroVAD.fileName))
        let garbage = try #require(throws: SpeechDetectionError.self) { try SileroVAD(files: wrong, runtime: runtime) }
        #expect(garbage.code == .modelInvalid)

        try FileManager.default.removeItem(at: folder.appending(path: SileroVAD.fileName))
        try FileManager.default.copyItem(
            atPath: "\(files.directory)/\(SmartTurn.fileName)", toPath: folder.appending(path: SileroVAD.fileName).path)
        let other = try #require(throws: SpeechDetectionError.self) { try SileroVAD(files: wrong, runtime: runtime) }
        #expect(other.code == .modelInvalid)
    }
}

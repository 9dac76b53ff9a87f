import COnnxRuntime

/// ONNX Runtime, opened from its library at run time. Opening it again is cheap and gives the same library.
///
/// `@unchecked` because it holds C pointers; they are set once, and the runtime may be called from any thread.
@safe package final class OnnxRuntime: @unchecked Sendable {
    let api: OpaquePointer
    let environment: OpaquePointer
    let memory: OpaquePointer

    /// Opens the library. It stays open for the life of the process, as do its environment and memory description.
    package init(files: ModelFiles) throws(SpeechDetectionError) {
        let path = try files.library()
        unsafe api = try Self.open(path)
        unsafe environment = try Self.make(api, "start") { unsafe onnx_create_environment($0, $1) }
        unsafe memory = try Self.make(api, "describe memory") { unsafe onnx_create_cpu_memory_info($0, $1) }
    }

    private static func open(_ path: String) throws(SpeechDetectionError) -> OpaquePointer {
        var text = [CChar](repeating: 0, count: 512)
        if let api = unsafe onnx_open(path, &text, text.count) { return unsafe api }
        let reason = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        throw SpeechDetectionError(
            .runtimeMissing,
            "cannot open ONNX Runtime at \(path): \(reason); run ./deploy/fetch-models, or set PARLEY_ONNXRUNTIME_LIB to the library"
        )
    }

    /// Calls a function that makes an object, and gives the object or the runtime's reason.
    func make(
        _ doing: @autoclosure () -> String, code: SpeechDetectionError.Code = .inferenceFailed,
        _ call: (OpaquePointer, UnsafeMutablePointer<OpaquePointer?>) -> OpaquePointer?
    ) throws(SpeechDetectionError) -> OpaquePointer {
        unsafe try Self.make(api, doing(), code: code, call)
    }

    /// Throws the runtime's reason if the status is one of failure, and frees it.
    func check(
        _ status: OpaquePointer?, _ doing: @autoclosure () -> String, code: SpeechDetectionError.Code = .inferenceFailed
    ) throws(SpeechDetectionError) {
        unsafe try Self.check(api, status, doing(), code: code)
    }

    private static func make(
        _ api: OpaquePointer, _ doing: @autoclosure () -> String, code: SpeechDetectionError.Code = .inferenceFailed,
        _ call: (OpaquePointer, UnsafeMutablePointer<OpaquePointer?>) -> OpaquePointer?
    ) throws(SpeechDetectionError) -> OpaquePointer {
        var made: OpaquePointer?
        unsafe try check(api, call(api, &made), doing(), code: code)
        guard let made = unsafe made else {
            throw SpeechDetectionError(code, "ONNX Runtime made nothing when asked to \(doing())")
        }
        return unsafe made
    }

    private static func check(
        _ api: OpaquePointer, _ status: OpaquePointer?, _ doing: @autoclosure () -> String,
        code: SpeechDetectionError.Code
    ) throws(SpeechDetectionError) {
        guard let status = unsafe status else { return }
        let reason = unsafe String(cString: onnx_message(api, status))
        unsafe onnx_release_status(api, status)
        throw SpeechDetectionError(code, "ONNX Runtime could not \(doing()): \(reason)")
    }
}

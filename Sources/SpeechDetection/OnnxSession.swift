import COnnxRuntime

/// A loaded model, shared by any number of streams. It computes on the calling thread only.
///
/// `@unchecked` because it holds C pointers; they are set once, and the runtime allows concurrent runs of one session.
@safe final class OnnxSession: @unchecked Sendable {
    let runtime: OnnxRuntime
    let inputNames: OnnxNames
    let outputNames: OnnxNames
    private let session: OpaquePointer
    private let name: String

    /// Loads the model at `path`. The names are those of its inputs and outputs, in the order of the tensors bound later.
    init(
        path: String, inputs: [String], outputs: [String], runtime: OnnxRuntime
    ) throws(SpeechDetectionError) {
        self.runtime = runtime
        name = path
        inputNames = OnnxNames(inputs)
        outputNames = OnnxNames(outputs)
        unsafe session = try runtime.make("load the model \(path)", code: .modelInvalid) {
            unsafe onnx_create_session($0, runtime.environment, path, $1)
        }
    }

    deinit {
        unsafe onnx_release_session(runtime.api, session)
    }

    /// Runs the model once over the tensors of a binding. Nothing is allocated here; the runtime makes and frees small objects
    /// of its own in every run (about 150 for Silero, measured with 1.31).
    func run(_ binding: OnnxBinding) throws(SpeechDetectionError) {
        let status = unsafe onnx_run(
            runtime.api, session, inputNames.pointers, binding.inputs, inputNames.count, outputNames.pointers,
            outputNames.count, binding.outputs)
        try unsafe runtime.check(status, "run the model \(name)")
    }
}

/// The names of a model's inputs or outputs as the runtime wants them.
///
/// `@unchecked` because it holds C pointers; they never change, hence it is safe to share.
@safe final class OnnxNames: @unchecked Sendable {
    let pointers: UnsafeMutablePointer<UnsafePointer<CChar>>
    let count: Int

    init(_ names: [String]) {
        count = names.count
        unsafe pointers = .allocate(capacity: names.count)
        for (index, name) in names.enumerated() {
            let copy = UnsafeMutableBufferPointer<CChar>.allocate(capacity: name.utf8.count + 1)
            _ = unsafe copy.initialize(from: name.utf8.map { CChar(bitPattern: $0) } + [0])
            if let start = copy.baseAddress {
                unsafe pointers.advanced(by: index).initialize(to: UnsafePointer(start))
            }
        }
    }

    deinit {
        for index in 0..<count { unsafe pointers[index].deallocate() }
        unsafe pointers.deallocate()
    }
}

/// The tensors that a stream gives to each run, in the order of the session's names. It keeps them alive.
@safe final class OnnxBinding {
    let inputs: UnsafeMutablePointer<OpaquePointer>
    let outputs: UnsafeMutablePointer<OpaquePointer?>
    private let tensors: [OnnxTensor]

    init(inputs inputTensors: [OnnxTensor], outputs outputTensors: [OnnxTensor]) {
        tensors = inputTensors + outputTensors
        unsafe inputs = .allocate(capacity: inputTensors.count)
        unsafe outputs = .allocate(capacity: outputTensors.count)
        for (index, tensor) in inputTensors.enumerated() {
            unsafe inputs.advanced(by: index).initialize(to: tensor.value)
        }
        for (index, tensor) in outputTensors.enumerated() {
            unsafe outputs.advanced(by: index).initialize(to: tensor.value)
        }
    }

    deinit {
        unsafe inputs.deallocate()
        unsafe outputs.deallocate()
    }
}

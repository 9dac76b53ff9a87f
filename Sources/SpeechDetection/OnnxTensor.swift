import COnnxRuntime

/// A float32 tensor over memory of its own, made once and bound to every run. Not thread-safe: it belongs to one stream.
@safe final class OnnxTensor {
    /// The elements, the last dimension running fastest; zero at first.
    let elements: UnsafeMutableBufferPointer<Float>
    let value: OpaquePointer
    private let runtime: OnnxRuntime

    /// A cache line, which is also what the runtime's kernels like best.
    private static let alignment = 64

    init(shape: [Int64], runtime: OnnxRuntime) throws(SpeechDetectionError) {
        let count = Int(shape.reduce(1, *))
        let memory = UnsafeMutableRawPointer.allocate(
            byteCount: count * MemoryLayout<Float>.stride, alignment: Self.alignment)
        let first = unsafe memory.initializeMemory(as: Float.self, repeating: 0, count: count)
        do {
            unsafe value = try runtime.make("make a tensor of shape \(shape)") {
                unsafe onnx_create_float_tensor($0, runtime.memory, first, count, shape, shape.count, $1)
            }
        } catch {
            unsafe memory.deallocate()
            throw error
        }
        unsafe elements = UnsafeMutableBufferPointer(start: first, count: count)
        self.runtime = runtime
    }

    deinit {
        unsafe onnx_release_value(runtime.api, value)
        unsafe elements.deallocate()
    }

    /// Sets all elements to zero.
    func clear() {
        unsafe elements.update(repeating: 0)
    }

    /// Copies the elements of a tensor of the same shape.
    func copy(from other: OnnxTensor) {
        unsafe precondition(elements.count == other.elements.count, "tensors of different size")
        _ = unsafe elements.update(fromContentsOf: other.elements)
    }
}

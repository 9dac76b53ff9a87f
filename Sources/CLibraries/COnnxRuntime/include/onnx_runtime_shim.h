#pragma once
#include <stddef.h>
#include <stdint.h>

// A thin typed view of ONNX Runtime's C API. The runtime is opened with dlopen and its function table, whose order is part
// of the runtime's ABI, is called by slot: no header of the runtime is needed to build, and a missing library is an error
// at run time that names the path. The slots used here were confirmed by running them (API version 17).

typedef struct OrtApi OrtApi;  // The table: an array of function pointers.
typedef struct OrtStatus OrtStatus;
typedef struct OrtEnv OrtEnv;
typedef struct OrtSession OrtSession;
typedef struct OrtSessionOptions OrtSessionOptions;
typedef struct OrtMemoryInfo OrtMemoryInfo;
typedef struct OrtValue OrtValue;

/// Opens the library with local symbols and returns its table; null with a text in `message` when that is impossible.
/// The library stays open for the life of the process.
const OrtApi *_Nullable onnx_open(const char *_Nonnull path, char *_Nonnull message, size_t message_size);

/// Each function below returns null for success, else a status to be read with onnx_message and freed with onnx_release_status.
const char *_Nonnull onnx_message(const OrtApi *_Nonnull api, const OrtStatus *_Nonnull status);
void onnx_release_status(const OrtApi *_Nonnull api, OrtStatus *_Nonnull status);

/// An environment that logs errors only.
OrtStatus *_Nullable onnx_create_environment(const OrtApi *_Nonnull api, OrtEnv *_Nullable *_Nonnull out);
OrtStatus *_Nullable onnx_create_cpu_memory_info(const OrtApi *_Nonnull api, OrtMemoryInfo *_Nullable *_Nonnull out);

/// A session that runs sequentially on the calling thread alone, with all graph optimisations.
OrtStatus *_Nullable onnx_create_session(const OrtApi *_Nonnull api, const OrtEnv *_Nonnull environment,
                                         const char *_Nonnull path, OrtSession *_Nullable *_Nonnull out);
void onnx_release_session(const OrtApi *_Nonnull api, OrtSession *_Nonnull session);

/// A float32 tensor over memory that the caller owns and keeps alive longer than the tensor.
OrtStatus *_Nullable onnx_create_float_tensor(const OrtApi *_Nonnull api, const OrtMemoryInfo *_Nonnull memory,
                                              float *_Nonnull data, size_t count, const int64_t *_Nonnull shape,
                                              size_t rank, OrtValue *_Nullable *_Nonnull out);
void onnx_release_value(const OrtApi *_Nonnull api, OrtValue *_Nonnull value);

/// Runs the model. Outputs are written into the tensors given, so their shapes must be the model's.
OrtStatus *_Nullable onnx_run(const OrtApi *_Nonnull api, OrtSession *_Nonnull session,
                              const char *_Nonnull const *_Nonnull input_names, const OrtValue *_Nonnull const *_Nonnull inputs,
                              size_t input_count, const char *_Nonnull const *_Nonnull output_names, size_t output_count,
                              OrtValue *_Nullable *_Nonnull outputs);

/// Lowers the priority of the calling thread alone (Linux). Returns whether it did.
int onnx_lower_thread_priority(int niceness);

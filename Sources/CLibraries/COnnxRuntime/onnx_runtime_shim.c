#include "onnx_runtime_shim.h"

#include <dlfcn.h>
#include <stdio.h>
#include <sys/resource.h>

// The version whose slots are used: any runtime since 1.17 offers it.
enum { api_version = 17 };

// Places in the table.
enum {
    slot_get_error_message = 2,
    slot_create_env = 3,
    slot_create_session = 7,
    slot_run = 9,
    slot_create_session_options = 10,
    slot_set_execution_mode = 13,
    slot_set_optimization_level = 23,
    slot_set_intra_threads = 24,
    slot_set_inter_threads = 25,
    slot_create_tensor_over_data = 49,
    slot_create_cpu_memory_info = 69,
    slot_release_status = 93,
    slot_release_session = 95,
    slot_release_value = 96,
    slot_release_session_options = 100,
    slot_add_session_entry = 130,
};

// Values of the runtime's enumerations.
enum {
    log_errors = 3,
    execute_sequentially = 0,
    optimize_all = 99,
    element_float = 1,
    allocator_arena = 1,
    memory_default = 0,
};

typedef void (*function)(void);
typedef struct {
    const OrtApi *(*get_api)(uint32_t version);
    const char *(*get_version)(void);
} api_base;

static function at(const OrtApi *api, int slot) { return ((const function *)(const void *)api)[slot]; }

const OrtApi *onnx_open(const char *path, char *message, size_t message_size) {
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        snprintf(message, message_size, "%s", dlerror());
        return NULL;
    }
    const api_base *(*get_base)(void) = (const api_base *(*)(void))dlsym(library, "OrtGetApiBase");
    if (!get_base) {
        snprintf(message, message_size, "it has no function OrtGetApiBase, so it is not ONNX Runtime");
        dlclose(library);
        return NULL;
    }
    const api_base *base = get_base();
    const OrtApi *api = base->get_api(api_version);
    if (!api) {
        snprintf(message, message_size, "its version %s does not offer API version %d", base->get_version(), api_version);
        dlclose(library);
    }
    return api;
}

const char *onnx_message(const OrtApi *api, const OrtStatus *status) {
    typedef const char *(*call)(const OrtStatus *);
    return ((call)at(api, slot_get_error_message))(status);
}

void onnx_release_status(const OrtApi *api, OrtStatus *status) {
    typedef void (*call)(OrtStatus *);
    ((call)at(api, slot_release_status))(status);
}

OrtStatus *onnx_create_environment(const OrtApi *api, OrtEnv **out) {
    typedef OrtStatus *(*call)(int, const char *, OrtEnv **);
    return ((call)at(api, slot_create_env))(log_errors, "parley", out);
}

OrtStatus *onnx_create_cpu_memory_info(const OrtApi *api, OrtMemoryInfo **out) {
    typedef OrtStatus *(*call)(int, int, OrtMemoryInfo **);
    return ((call)at(api, slot_create_cpu_memory_info))(allocator_arena, memory_default, out);
}

static OrtStatus *set_option(const OrtApi *api, int slot, OrtSessionOptions *options, int value) {
    typedef OrtStatus *(*call)(OrtSessionOptions *, int);
    return ((call)at(api, slot))(options, value);
}

// Without this, products of quantized numbers overflow on x86-64 processors that have no VNNI instructions, and the model says something else
// there than elsewhere.
static OrtStatus *compute_exactly(const OrtApi *api, OrtSessionOptions *options) {
    typedef OrtStatus *(*call)(OrtSessionOptions *, const char *, const char *);
    return ((call)at(api, slot_add_session_entry))(options, "session.x64quantprecision", "1");
}

OrtStatus *onnx_create_session(const OrtApi *api, const OrtEnv *environment, const char *path, OrtSession **out) {
    typedef OrtStatus *(*create_options)(OrtSessionOptions **);
    typedef void (*release_options)(OrtSessionOptions *);
    typedef OrtStatus *(*create)(const OrtEnv *, const char *, const OrtSessionOptions *, OrtSession **);
    OrtSessionOptions *options = NULL;
    OrtStatus *status = ((create_options)at(api, slot_create_session_options))(&options);
    if (status) return status;
    if (!status) status = set_option(api, slot_set_execution_mode, options, execute_sequentially);
    if (!status) status = set_option(api, slot_set_optimization_level, options, optimize_all);
    if (!status) status = set_option(api, slot_set_intra_threads, options, 1);
    if (!status) status = set_option(api, slot_set_inter_threads, options, 1);
    if (!status) status = compute_exactly(api, options);
    if (!status) status = ((create)at(api, slot_create_session))(environment, path, options, out);
    ((release_options)at(api, slot_release_session_options))(options);
    return status;
}

void onnx_release_session(const OrtApi *api, OrtSession *session) {
    typedef void (*call)(OrtSession *);
    ((call)at(api, slot_release_session))(session);
}

OrtStatus *onnx_create_float_tensor(const OrtApi *api, const OrtMemoryInfo *memory, float *data, size_t count,
                                    const int64_t *shape, size_t rank, OrtValue **out) {
    typedef OrtStatus *(*call)(const OrtMemoryInfo *, void *, size_t, const int64_t *, size_t, int, OrtValue **);
    return ((call)at(api, slot_create_tensor_over_data))(memory, data, count * sizeof(float), shape, rank, element_float, out);
}

void onnx_release_value(const OrtApi *api, OrtValue *value) {
    typedef void (*call)(OrtValue *);
    ((call)at(api, slot_release_value))(value);
}

OrtStatus *onnx_run(const OrtApi *api, OrtSession *session, const char *const *input_names, const OrtValue *const *inputs,
                    size_t input_count, const char *const *output_names, size_t output_count, OrtValue **outputs) {
    typedef OrtStatus *(*call)(OrtSession *, const void *, const char *const *, const OrtValue *const *, size_t,
                               const char *const *, size_t, OrtValue **);
    return ((call)at(api, slot_run))(session, NULL, input_names, inputs, input_count, output_names, output_count, outputs);
}

int onnx_lower_thread_priority(int niceness) {
#ifdef __linux__
    // On Linux a `who` of 0 means the calling thread, not its process.
    return setpriority(PRIO_PROCESS, 0, niceness) == 0;
#else
    (void)niceness;
    return 0;
#endif
}

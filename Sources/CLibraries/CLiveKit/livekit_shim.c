// For SCHED_BATCH.
#define _GNU_SOURCE

#include "livekit_shim.h"

#include <dlfcn.h>
#include <sched.h>
#include <stdio.h>

struct functions {
    void (*initialize)(livekit_callback, bool, const char *, const char *);
    uint64_t (*request)(const uint8_t *, size_t, const uint8_t **, size_t *);
    bool (*drop_handle)(uint64_t);
    void (*dispose)(void);
};

static struct functions library;

// Threads inherit how they are scheduled from whoever starts them. A policy that the operator chose stays.
static void initialize(livekit_callback callback, bool capture_logs, const char *version) {
#ifdef SCHED_BATCH
    const struct sched_param none = {0};
    bool changed = sched_getscheduler(0) == SCHED_OTHER && sched_setscheduler(0, SCHED_BATCH, &none) == 0;
#endif
    // The name is one that the library's server side knows; what it says of a client is for statistics only.
    library.initialize(callback, capture_logs, "cpp", version);
#ifdef SCHED_BATCH
    if (changed) sched_setscheduler(0, SCHED_OTHER, &none);
#endif
}

bool livekit_open(const char *path, livekit_callback callback, bool capture_logs, const char *version, char *message, size_t message_size) {
    void *opened = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!opened) {
        snprintf(message, message_size, "%s", dlerror());
        return false;
    }
    // What is open already must outlive an attempt to open something else.
    struct functions found;
    *(void **)&found.initialize = dlsym(opened, "livekit_ffi_initialize");
    *(void **)&found.request = dlsym(opened, "livekit_ffi_request");
    *(void **)&found.drop_handle = dlsym(opened, "livekit_ffi_drop_handle");
    *(void **)&found.dispose = dlsym(opened, "livekit_ffi_dispose");
    if (!found.initialize || !found.request || !found.drop_handle || !found.dispose) {
        snprintf(message, message_size, "it has no function livekit_ffi_initialize, so it is not LiveKit's client library");
        dlclose(opened);
        return false;
    }
    library = found;
    initialize(callback, capture_logs, version);
    return true;
}

uint64_t livekit_request(const uint8_t *data, size_t length, const uint8_t **response, size_t *response_length) {
    return library.request(data, length, response, response_length);
}

bool livekit_drop_handle(uint64_t handle) { return library.drop_handle(handle); }

void livekit_close(void) {
    if (library.dispose) library.dispose();
}

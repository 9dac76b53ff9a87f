#ifndef LIVEKIT_SHIM_H
#define LIVEKIT_SHIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// LiveKit's client library, opened at run time: a process without it still runs. One per process; it cannot be closed and opened again.

// Gets every event, on threads of the library: `data` is valid during the call only.
typedef void (*livekit_callback)(const uint8_t *data, size_t length);

// Opens the library at `path` and starts it. False: `message` says why not. On Linux its threads, but for those to which it gives real-time priority
// itself, are scheduled as SCHED_BATCH: a packet of audio goes through five of them, and one that is woken need not push aside the one that wakes it,
// which has more to hand over.
bool livekit_open(const char *path, livekit_callback callback, bool capture_logs, const char *version, char *message, size_t message_size);

// Sends a request (FfiRequest) and points `response` at the answer (FfiResponse), which belongs to the handle that is returned: read it, then
// drop the handle. 0: the library did not understand the request.
uint64_t livekit_request(const uint8_t *data, size_t length, const uint8_t **response, size_t *response_length);

// False: there is no such handle.
bool livekit_drop_handle(uint64_t handle);

// Ends the library's work, for the end of the process: nothing of it may be called afterwards.
void livekit_close(void);

#endif

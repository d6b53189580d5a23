/* A CUDA without a GPU: torch's own CUDA code runs, kernels are counted and compute nothing.
 *
 * What is real: device memory (host memory that is reserved and not filled), copies, fills, the rules of stream capture,
 * errors. What is not: every other value. See build.py for how the library is made and process.py for how it is used.
 */
#pragma once
#include <cuda_runtime_api.h>
#include <pthread.h>
#include <stddef.h>

#define COUNTERS(X)                                                                                                    \
    X(kernels) X(kernels_captured) X(library_calls) X(library_calls_captured) X(fills) X(fills_captured)               \
    X(copies_to_device) X(copies_to_host) X(copies_on_device) X(copies_captured) X(synchronisations)                   \
    X(allocations) X(graph_launches) X(graph_nodes) X(graphs)

typedef struct Counters {
#define X(name) long name;
    COUNTERS(X)
#undef X
} Counters;

enum { MAX_WORKSPACES = 8 };

typedef struct Capture {
    enum cudaStreamCaptureMode mode;
    pthread_t thread;
    int broken;
    long nodes;
    const void *workspaces[MAX_WORKSPACES]; /* memory that its library calls work in */
    int n_workspaces;
} Capture;

typedef struct Stream {
    Capture *capture; /* NULL while the stream executes what it is given */
    int priority;
} Stream;

extern Counters counted; /* read and written under the lock */
void lock(void);
void unlock(void);

Stream *stream_of(void *handle);

/* Counts a call of a kernel or library on a stream under its name; returns whether the stream only records it. */
int launched(const char *name, void *stream, int is_kernel);

/* Notes that what a stream is given works in this memory, which a graph that captures it needs at each launch. */
void works_in(void *stream, const void *memory);

/* Returns the error that the test wants this call to end with; 0 for none. */
int planned_failure(const char *call);

/* Notes something that is an error on a GPU, or that a graph would silently leave out, or that is not imitated. */
void violation(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The parts that build.py gives to functions that have no body of their own; see `stub` there. */
int fake_create(const char *name, void **object);
int fake_library(const char *name, void **handle);
int fake_missing(const char *name);

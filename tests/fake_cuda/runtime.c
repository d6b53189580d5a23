/* The CUDA runtime: devices, memory, streams, events, stream capture, launches. */
#define _GNU_SOURCE
#include "fake.h"
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { MAX_CAPTURES = 16, MAX_BLOCKS = 65536, PAGE = 2 << 20 };

static __thread cudaError_t last;
static __thread int device;
static __thread enum cudaStreamCaptureMode thread_mode = cudaStreamCaptureModeGlobal;

static cudaError_t failed(cudaError_t error) {
    if (error) last = error;
    return error;
}

/* ---- an error after which nothing works ---- */

static long launches_left = -1; /* until the error; negative for none */
static int is_broken;

void fake_break_after(long launches) {
    launches_left = launches;
    is_broken = 0;
}

static cudaError_t sticky(void) { return is_broken ? (last = cudaErrorAssert) : cudaSuccess; }

#define CHECK_DEVICE                                                                                                   \
    if (sticky()) return cudaErrorAssert

/* ---- devices ---- */

static long from_environment(const char *name, long otherwise) {
    const char *value = getenv(name);
    return value && *value ? atol(value) : otherwise;
}

/* The devices that FAKE_CUDA_DEVICES counts, or those of them that CUDA_VISIBLE_DEVICES names, by their place. */
static int visible(int place) {
    int count = (int)from_environment("FAKE_CUDA_DEVICES", 1);
    const char *chosen = getenv("CUDA_VISIBLE_DEVICES");
    if (!chosen) return place < count ? place : -1;
    for (; *chosen; place--) {
        char *end;
        long index = strtol(chosen, &end, 10);
        if (end == chosen || index < 0 || index >= count) return -1;
        if (place == 0) return (int)index;
        chosen = *end ? end + 1 : end;
    }
    return -1;
}

static int device_count(void) {
    static int count = -1; /* as CUDA does, the environment is read once */
    if (count < 0)
        for (count = 0; visible(count) >= 0;) count++;
    return count;
}

cudaError_t cudaGetDeviceCount(int *count) {
    *count = device_count();
    return failed(*count ? cudaSuccess : cudaErrorNoDevice);
}
cudaError_t cudaGetDevice(int *index) {
    *index = device;
    return cudaSuccess;
}
cudaError_t cudaSetDevice(int index) {
    if (index < 0 || index >= device_count()) return failed(cudaErrorInvalidDevice);
    device = index;
    return cudaSuccess;
}

static size_t total = 0, in_use = 0;

static size_t memory(void) {
    if (!total) total = (size_t)from_environment("FAKE_CUDA_MEBIBYTES", 12 << 10) << 20;
    return total;
}
void fake_set_memory(size_t bytes) { total = bytes; }
size_t fake_memory_in_use(void) { return in_use; }

cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *p, int index) { /* those of an H200 */
    memset(p, 0, sizeof *p);
    snprintf(p->name, sizeof p->name, "CUDA stand-in %d", visible(index));
    p->totalGlobalMem = memory();
    p->major = 9;
    p->multiProcessorCount = 132;
    p->warpSize = 32;
    p->maxThreadsPerBlock = p->maxThreadsDim[0] = p->maxThreadsDim[1] = 1024;
    p->maxThreadsDim[2] = 64;
    p->maxGridSize[0] = INT32_MAX;
    p->maxGridSize[1] = p->maxGridSize[2] = p->regsPerBlock = p->regsPerMultiprocessor = 65535;
    p->maxThreadsPerMultiProcessor = 2048;
    p->maxBlocksPerMultiProcessor = 32;
    p->sharedMemPerBlock = 49152;
    p->sharedMemPerBlockOptin = 232448;
    p->sharedMemPerMultiprocessor = 233472;
    p->totalConstMem = 65536;
    p->textureAlignment = 512;
    p->l2CacheSize = 60 << 20;
    p->concurrentKernels = p->unifiedAddressing = p->managedMemory = 1;
    return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int *value, enum cudaDeviceAttr attribute, int index) {
    struct cudaDeviceProp p;
    cudaGetDeviceProperties(&p, index);
    switch (attribute) {
    case cudaDevAttrMaxThreadsPerBlock: *value = p.maxThreadsPerBlock; break;
    case cudaDevAttrMaxBlockDimX: *value = p.maxThreadsDim[0]; break;
    case cudaDevAttrMaxBlockDimY: *value = p.maxThreadsDim[1]; break;
    case cudaDevAttrMaxBlockDimZ: *value = p.maxThreadsDim[2]; break;
    case cudaDevAttrMaxGridDimX: *value = p.maxGridSize[0]; break;
    case cudaDevAttrMaxGridDimY: *value = p.maxGridSize[1]; break;
    case cudaDevAttrMaxGridDimZ: *value = p.maxGridSize[2]; break;
    case cudaDevAttrMaxSharedMemoryPerBlock: *value = (int)p.sharedMemPerBlock; break;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin: *value = (int)p.sharedMemPerBlockOptin; break;
    case cudaDevAttrMaxSharedMemoryPerMultiprocessor: *value = (int)p.sharedMemPerMultiprocessor; break;
    case cudaDevAttrMaxRegistersPerBlock:
    case cudaDevAttrMaxRegistersPerMultiprocessor: *value = p.regsPerBlock; break;
    case cudaDevAttrMaxThreadsPerMultiProcessor: *value = p.maxThreadsPerMultiProcessor; break;
    case cudaDevAttrMaxBlocksPerMultiprocessor: *value = p.maxBlocksPerMultiProcessor; break;
    case cudaDevAttrMultiProcessorCount: *value = p.multiProcessorCount; break;
    case cudaDevAttrWarpSize: *value = p.warpSize; break;
    case cudaDevAttrL2CacheSize: *value = p.l2CacheSize; break;
    case cudaDevAttrComputeCapabilityMajor: *value = p.major; break;
    case cudaDevAttrUnifiedAddressing:
    case cudaDevAttrCooperativeLaunch: *value = 1; break;
    default: *value = 0;
    }
    return cudaSuccess;
}

cudaError_t cudaDeviceCanAccessPeer(int *can, int from, int to) {
    *can = 0;
    return cudaSuccess;
}
cudaError_t cudaDeviceGetPCIBusId(char *text, int size, int index) {
    snprintf(text, size, "0000:%02x:00.0", visible(index));
    return cudaSuccess;
}
cudaError_t cudaDeviceGetStreamPriorityRange(int *least, int *greatest) {
    if (least) *least = 0;
    if (greatest) *greatest = -5;
    return cudaSuccess;
}
cudaError_t cudaDriverGetVersion(int *version) {
    *version = CUDART_VERSION;
    return cudaSuccess;
}
cudaError_t cudaRuntimeGetVersion(int *version) { return cudaDriverGetVersion(version); }

cudaError_t cudaPeekAtLastError(void) { return last; }
cudaError_t cudaGetLastError(void) {
    cudaError_t error = last;
    last = is_broken ? cudaErrorAssert : cudaSuccess;
    return error;
}

#define ERRORS(X)                                                                                                      \
    X(cudaSuccess, "no error")                                                                                         \
    X(cudaErrorInvalidValue, "invalid argument")                                                                       \
    X(cudaErrorMemoryAllocation, "out of memory")                                                                      \
    X(cudaErrorNoDevice, "no CUDA-capable device is detected")                                                         \
    X(cudaErrorInvalidDevice, "invalid device ordinal")                                                                \
    X(cudaErrorNotReady, "device not ready")                                                                           \
    X(cudaErrorAssert, "device-side assert triggered")                                                                 \
    X(cudaErrorStreamCaptureUnsupported, "operation not permitted when stream is capturing")                           \
    X(cudaErrorStreamCaptureInvalidated, "operation failed due to a previous error during capture")                    \
    X(cudaErrorCapturedEvent, "operation not permitted on an event last recorded in a capturing stream")
const char *cudaGetErrorName(cudaError_t error) {
#define X(name, text)                                                                                                  \
    if (error == name) return #name;
    ERRORS(X)
#undef X
    return "unrecognized error code";
}
const char *cudaGetErrorString(cudaError_t error) {
#define X(name, text)                                                                                                  \
    if (error == name) return text;
    ERRORS(X)
#undef X
    return "unrecognized error code";
}

/* ---- stream capture ---- */

typedef struct Graph {
    long nodes;
    const void *workspaces[MAX_WORKSPACES];
    int n_workspaces;
} Graph;

static enum cudaMemoryType type_of(const void *pointer);

static Capture captures[MAX_CAPTURES]; /* one that has no thread's stream is free */
static Stream *capturing[MAX_CAPTURES];
static Stream legacy;

Stream *stream_of(void *handle) {
    int is_legacy = handle == NULL || handle == cudaStreamLegacy || handle == cudaStreamPerThread;
    return is_legacy ? &legacy : handle;
}

static cudaError_t refused(Capture *capture, const char *call) {
    violation("%s in a capture", call);
    capture->broken = 1;
    return failed(cudaErrorStreamCaptureUnsupported);
}

/* An error for calls that CUDA prohibits while this thread, or in global mode any thread, captures. */
static cudaError_t unsafe(const char *call) {
    cudaError_t error = cudaSuccess;
    lock();
    for (int i = 0; i < MAX_CAPTURES && thread_mode != cudaStreamCaptureModeRelaxed; i++) {
        if (!capturing[i]) continue;
        int is_own = pthread_equal(captures[i].thread, pthread_self());
        int is_global = captures[i].mode == cudaStreamCaptureModeGlobal && thread_mode == cudaStreamCaptureModeGlobal;
        if (is_own ? captures[i].mode != cudaStreamCaptureModeRelaxed : is_global) error = refused(&captures[i], call);
    }
    unlock();
    return error;
}

/* Notes work on a stream that is not captured, of a thread that captures another: no replay would repeat it. */
static void notice_left_out(Stream *stream, const char *what) {
    for (int i = 0; i < MAX_CAPTURES; i++)
        if (capturing[i] && !stream->capture && pthread_equal(captures[i].thread, pthread_self()))
            violation("%s beside the captured stream", what);
}

cudaError_t cudaThreadExchangeStreamCaptureMode(enum cudaStreamCaptureMode *mode) {
    enum cudaStreamCaptureMode before = thread_mode;
    thread_mode = *mode;
    *mode = before;
    return cudaSuccess;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t handle, enum cudaStreamCaptureMode mode) {
    Stream *stream = stream_of(handle);
    CHECK_DEVICE;
    if (stream == &legacy) return failed(cudaErrorStreamCaptureUnsupported);
    if (stream->capture) return failed(cudaErrorInvalidValue);
    cudaError_t error = cudaErrorInvalidValue;
    lock();
    for (int i = 0; i < MAX_CAPTURES && error; i++) {
        if (capturing[i]) continue;
        captures[i] = (Capture){.mode = mode, .thread = pthread_self()};
        capturing[i] = stream;
        stream->capture = &captures[i];
        error = cudaSuccess;
    }
    unlock();
    return failed(error);
}

cudaError_t cudaStreamEndCapture(cudaStream_t handle, cudaGraph_t *graph) {
    Stream *stream = stream_of(handle);
    Capture *capture = stream->capture;
    *graph = NULL;
    if (!capture) return failed(cudaErrorInvalidValue);
    lock();
    counted.graph_nodes = capture->nodes;
    capturing[capture - captures] = NULL;
    stream->capture = NULL;
    unlock();
    if (capture->broken) return failed(cudaErrorStreamCaptureInvalidated);
    Graph *made = malloc(sizeof *made);
    made->nodes = capture->nodes;
    made->n_workspaces = capture->n_workspaces;
    memcpy(made->workspaces, capture->workspaces, sizeof made->workspaces);
    *graph = (cudaGraph_t)made;
    return cudaSuccess;
}

static enum cudaStreamCaptureStatus status(Stream *stream) {
    if (!stream->capture) return cudaStreamCaptureStatusNone;
    return stream->capture->broken ? cudaStreamCaptureStatusInvalidated : cudaStreamCaptureStatusActive;
}
cudaError_t cudaStreamIsCapturing(cudaStream_t handle, enum cudaStreamCaptureStatus *found) {
    *found = status(stream_of(handle));
    return sticky();
}
cudaError_t cudaStreamGetCaptureInfo(cudaStream_t handle, enum cudaStreamCaptureStatus *found, unsigned long long *id,
                                     cudaGraph_t *graph, const cudaGraphNode_t **nodes, const cudaGraphEdgeData **edges,
                                     size_t *count) {
    Stream *stream = stream_of(handle);
    *found = status(stream);
    if (id) *id = stream->capture ? 1 + (stream->capture - captures) : 0;
    if (graph) *graph = NULL;
    if (nodes) *nodes = NULL;
    if (edges) *edges = NULL;
    if (count) *count = 0;
    return cudaSuccess;
}

cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t *nodes, size_t *count) {
    *count = ((Graph *)graph)->nodes;
    return cudaSuccess;
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
    free(graph);
    return cudaSuccess;
}
cudaError_t cudaGraphInstantiateWithFlags(cudaGraphExec_t *exec, cudaGraph_t graph, unsigned long long flags) {
    CHECK_DEVICE;
    int failure = planned_failure("cudaGraphInstantiateWithFlags");
    if (failure) return failed(failure);
    Graph *made = malloc(sizeof *made);
    *made = *(Graph *)graph;
    *exec = (cudaGraphExec_t)made;
    lock();
    counted.graphs++;
    unlock();
    return cudaSuccess;
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec) {
    free(exec);
    lock();
    counted.graphs--;
    unlock();
    return cudaSuccess;
}

void works_in(void *handle, const void *memory) {
    lock();
    Capture *capture = stream_of(handle)->capture;
    int is_known = !memory || !capture || capture->n_workspaces == MAX_WORKSPACES;
    for (int i = 0; !is_known && i < capture->n_workspaces; i++) is_known = capture->workspaces[i] == memory;
    if (!is_known) capture->workspaces[capture->n_workspaces++] = memory;
    unlock();
}

static int breaks_now(void) {
    lock();
    if (launches_left >= 0 && launches_left-- == 0) is_broken = 1;
    unlock();
    return is_broken;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t handle) {
    if (breaks_now()) return sticky();
    if (stream_of(handle)->capture) return refused(stream_of(handle)->capture, "a graph's launch");
    Graph *graph = (Graph *)exec;
    for (int i = 0; i < graph->n_workspaces; i++)
        if (type_of(graph->workspaces[i]) != cudaMemoryTypeDevice) violation("a graph whose workspace was freed");
    lock();
    counted.graph_launches++;
    unlock();
    return cudaSuccess;
}

/* ---- memory ---- */

typedef struct Block {
    char *start, *mapped;
    size_t bytes, mapped_bytes;
    enum cudaMemoryType type;
} Block;

static Block blocks[MAX_BLOCKS];
static int n_blocks;

static Block *block_of(const void *pointer) {
    for (int i = 0; i < n_blocks; i++)
        if ((char *)pointer >= blocks[i].start && (char *)pointer < blocks[i].start + blocks[i].bytes)
            return &blocks[i];
    return NULL;
}

/* Reserves memory that takes none until it is written. */
static void *reserved(size_t bytes, enum cudaMemoryType type) {
    size_t whole = bytes + 2 * PAGE;
    char *mapped = mmap(NULL, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapped == MAP_FAILED || n_blocks == MAX_BLOCKS) return NULL;
    char *start = (char *)(((uintptr_t)mapped + PAGE - 1) / PAGE * PAGE);
    blocks[n_blocks++] = (Block){start, mapped, bytes, whole, type};
    return start;
}

static void release(void *pointer) {
    lock();
    Block *block = block_of(pointer);
    if (block && block->start == pointer) {
        if (block->type == cudaMemoryTypeDevice) in_use -= block->bytes;
        munmap(block->mapped, block->mapped_bytes);
        *block = blocks[--n_blocks];
    }
    unlock();
}

cudaError_t cudaMalloc(void **pointer, size_t bytes) {
    CHECK_DEVICE;
    if (unsafe("cudaMalloc")) return cudaErrorStreamCaptureUnsupported;
    lock();
    *pointer = in_use + bytes <= memory() ? reserved(bytes, cudaMemoryTypeDevice) : NULL;
    if (*pointer) {
        in_use += bytes;
        counted.allocations++;
    }
    unlock();
    return failed(*pointer ? cudaSuccess : cudaErrorMemoryAllocation);
}
cudaError_t cudaFree(void *pointer) {
    CHECK_DEVICE;
    if (!pointer) return cudaSuccess;
    if (unsafe("cudaFree")) return cudaErrorStreamCaptureUnsupported;
    release(pointer);
    return cudaSuccess;
}
cudaError_t cudaHostAlloc(void **pointer, size_t bytes, unsigned flags) {
    lock();
    *pointer = reserved(bytes, cudaMemoryTypeHost);
    unlock();
    return failed(*pointer ? cudaSuccess : cudaErrorMemoryAllocation);
}
cudaError_t cudaFreeHost(void *pointer) {
    release(pointer);
    return cudaSuccess;
}
cudaError_t cudaMemGetInfo(size_t *free_bytes, size_t *total_bytes) {
    *total_bytes = memory();
    *free_bytes = memory() > in_use ? memory() - in_use : 0;
    return sticky();
}

static enum cudaMemoryType type_of(const void *pointer) {
    lock();
    Block *block = block_of(pointer);
    enum cudaMemoryType type = block ? block->type : cudaMemoryTypeUnregistered;
    unlock();
    return type;
}
cudaError_t cudaPointerGetAttributes(struct cudaPointerAttributes *attributes, const void *pointer) {
    memset(attributes, 0, sizeof *attributes);
    attributes->type = type_of(pointer);
    attributes->device = attributes->type == cudaMemoryTypeUnregistered ? cudaInvalidDeviceId : device;
    if (attributes->type == cudaMemoryTypeHost) attributes->hostPointer = (void *)pointer;
    attributes->devicePointer = (void *)pointer;
    return cudaSuccess;
}

/* Whether a copy is to be made now; if not, `*error` says whether it was captured or refused. */
static int copies_now(void *to, const void *from, Stream *stream, cudaError_t *error) {
    enum cudaMemoryType target = type_of(to), source = type_of(from);
    int on_device = target == cudaMemoryTypeDevice && source == cudaMemoryTypeDevice;
    const char *way = on_device ? "a copy" : target == cudaMemoryTypeDevice ? "a copy from the host" : "a copy to the host";
    if ((*error = sticky())) return 0;
    lock();
    if (stream->capture) counted.copies_captured++, stream->capture->nodes++;
    else if (on_device) counted.copies_on_device++;
    else if (target == cudaMemoryTypeDevice) counted.copies_to_device++;
    else counted.copies_to_host++;
    unlock();
    if (!stream->capture) {
        notice_left_out(stream, way);
        return 1;
    }
    int is_pinned = target == cudaMemoryTypeHost || source == cudaMemoryTypeHost;
    if (!on_device && is_pinned) violation("%s in a capture, which a replay repeats with the same host memory", way);
    else if (!on_device) *error = refused(stream->capture, way);
    return 0;
}

cudaError_t cudaMemcpy2DAsync(void *to, size_t to_pitch, const void *from, size_t from_pitch, size_t width,
                              size_t height, enum cudaMemcpyKind kind, cudaStream_t handle) {
    cudaError_t error;
    if (copies_now(to, from, stream_of(handle), &error))
        for (size_t row = 0; row < height; row++)
            memmove((char *)to + row * to_pitch, (const char *)from + row * from_pitch, width);
    return failed(error);
}
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, enum cudaMemcpyKind kind, cudaStream_t handle) {
    return cudaMemcpy2DAsync(to, bytes, from, bytes, bytes, 1, kind, handle);
}
cudaError_t cudaMemcpyPeerAsync(void *to, int to_device, const void *from, int from_device, size_t bytes,
                                cudaStream_t handle) {
    return cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, handle);
}
static cudaError_t synchronised(const char *call, Stream *stream) {
    CHECK_DEVICE;
    lock();
    counted.synchronisations++;
    unlock();
    if (stream && stream->capture) return refused(stream->capture, call);
    return stream ? cudaSuccess : unsafe(call);
}
cudaError_t cudaMemcpy(void *to, const void *from, size_t bytes, enum cudaMemcpyKind kind) {
    cudaError_t error = synchronised("cudaMemcpy", NULL);
    return error ? error : cudaMemcpyAsync(to, from, bytes, kind, NULL);
}
cudaError_t cudaMemsetAsync(void *pointer, int value, size_t bytes, cudaStream_t handle) {
    Stream *stream = stream_of(handle);
    CHECK_DEVICE;
    lock();
    *(stream->capture ? &counted.fills_captured : &counted.fills) += 1;
    if (stream->capture) stream->capture->nodes++;
    unlock();
    if (stream->capture) return cudaSuccess;
    notice_left_out(stream, "a fill");
    memset(pointer, value, bytes);
    return cudaSuccess;
}
cudaError_t cudaMemset(void *pointer, int value, size_t bytes) { return cudaMemsetAsync(pointer, value, bytes, NULL); }

/* ---- streams and events ---- */

typedef struct Event {
    Capture *capture; /* in which it was last recorded */
} Event;

cudaError_t cudaStreamCreateWithPriority(cudaStream_t *handle, unsigned flags, int priority) {
    Stream *stream = calloc(1, sizeof *stream);
    stream->priority = priority;
    *handle = (cudaStream_t)stream;
    return sticky();
}
cudaError_t cudaStreamCreateWithFlags(cudaStream_t *handle, unsigned flags) {
    return cudaStreamCreateWithPriority(handle, flags, 0);
}
cudaError_t cudaStreamCreate(cudaStream_t *handle) { return cudaStreamCreateWithPriority(handle, 0, 0); }
cudaError_t cudaStreamDestroy(cudaStream_t handle) {
    free(handle);
    return cudaSuccess;
}
cudaError_t cudaStreamGetPriority(cudaStream_t handle, int *priority) {
    *priority = stream_of(handle)->priority;
    return cudaSuccess;
}
cudaError_t cudaDeviceSynchronize(void) { return synchronised("cudaDeviceSynchronize", NULL); }
cudaError_t cudaStreamSynchronize(cudaStream_t handle) {
    return synchronised("cudaStreamSynchronize", stream_of(handle));
}
cudaError_t cudaStreamQuery(cudaStream_t handle) {
    Stream *stream = stream_of(handle);
    return stream->capture ? refused(stream->capture, "cudaStreamQuery") : sticky();
}
cudaError_t cudaLaunchHostFunc(cudaStream_t handle, cudaHostFn_t function, void *given) {
    Stream *stream = stream_of(handle);
    if (stream->capture) stream->capture->nodes++;
    else function(given);
    return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *handle, unsigned flags) {
    *handle = (cudaEvent_t)calloc(1, sizeof(Event));
    return cudaSuccess;
}
cudaError_t cudaEventCreate(cudaEvent_t *handle) { return cudaEventCreateWithFlags(handle, 0); }
cudaError_t cudaEventDestroy(cudaEvent_t handle) {
    free(handle);
    return cudaSuccess;
}
cudaError_t cudaEventRecordWithFlags(cudaEvent_t handle, cudaStream_t stream, unsigned flags) {
    CHECK_DEVICE;
    ((Event *)handle)->capture = stream_of(stream)->capture;
    return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t handle, cudaStream_t stream) {
    return cudaEventRecordWithFlags(handle, stream, 0);
}
/* An error on a captured event; one capture here is one stream, so that no other can wait for it either. */
static cudaError_t captured_event(cudaEvent_t handle, Stream *waiting, const char *call) {
    Capture *capture = ((Event *)handle)->capture;
    if (!capture || (waiting && waiting->capture == capture)) return sticky();
    violation("%s of an event of a capture", call);
    capture->broken = 1;
    return failed(cudaErrorCapturedEvent);
}
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t handle, unsigned flags) {
    return captured_event(handle, stream_of(stream), "cudaStreamWaitEvent");
}
cudaError_t cudaEventQuery(cudaEvent_t handle) { return captured_event(handle, NULL, "cudaEventQuery"); }
cudaError_t cudaEventSynchronize(cudaEvent_t handle) {
    lock();
    counted.synchronisations++;
    unlock();
    return captured_event(handle, NULL, "cudaEventSynchronize");
}
cudaError_t cudaEventElapsedTime(float *milliseconds, cudaEvent_t start, cudaEvent_t end) {
    *milliseconds = 1;
    return sticky();
}

/* ---- kernels ---- */

enum { MAX_KERNELS = 1 << 18 };

typedef struct Kernel {
    const void *function;
    const char *name;
} Kernel;

static Kernel kernels[MAX_KERNELS]; /* a hash table with open addressing */
static __thread struct {
    dim3 grid, block;
    size_t shared;
    void *stream;
} configuration;

static Kernel *kernel(const void *function) {
    size_t place = (uintptr_t)function * 11400714819323198485u >> 46;
    while (kernels[place].function && kernels[place].function != function) place = (place + 1) % MAX_KERNELS;
    return &kernels[place];
}

/* Executes torch's fills: (number of elements, the value, the array of pointers) of a type that the name ends with. */
static void fill(const char *name, void **arguments) {
    const char *functor = strstr(name, "FillFunctorI");
    if (!functor || !strstr(name, "vectorized_elementwise_kernel")) return;
    static const struct { const char *types; int bytes; } sizes[] = {{"bah", 1}, {"st", 2}, {"fij", 4}, {"dlm", 8}};
    for (int i = 0; i < 4; i++) {
        if (!strchr(sizes[i].types, functor[strlen("FillFunctorI")])) continue;
        char *target = *(char **)arguments[2];
        for (long n = *(int *)arguments[0]; n > 0; n--, target += sizes[i].bytes)
            memcpy(target, arguments[1], sizes[i].bytes);
    }
}

void **__cudaRegisterFatBinary(void *binary) {
    static void *handle;
    return &handle;
}
void __cudaRegisterFatBinaryEnd(void **handle) {}
void __cudaUnregisterFatBinary(void **handle) {}
char __cudaInitModule(void **handle) { return 1; }
void __cudaRegisterVar(void **handle, char *variable, char *address, const char *name, int is_extern, size_t bytes,
                       int is_constant, int is_global) {}
void __cudaRegisterFunction(void **handle, const char *function, char *device_function, const char *name, int limit,
                            void *thread, void *block, void *block_size, void *grid_size, int *warp) {
    lock();
    *kernel(function) = (Kernel){function, name};
    unlock();
}
unsigned __cudaPushCallConfiguration(dim3 grid, dim3 block, size_t shared, struct CUstream_st *stream) {
    configuration.grid = grid;
    configuration.block = block;
    configuration.shared = shared;
    configuration.stream = stream;
    return 0;
}
cudaError_t __cudaPopCallConfiguration(dim3 *grid, dim3 *block, size_t *shared, void *stream) {
    *grid = configuration.grid;
    *block = configuration.block;
    *shared = configuration.shared;
    *(void **)stream = configuration.stream;
    return cudaSuccess;
}
cudaError_t __cudaGetKernel(cudaKernel_t *found, const void *function) {
    *found = (cudaKernel_t)function;
    return cudaSuccess;
}

cudaError_t cudaLaunchKernel(const void *function, dim3 grid, dim3 block, void **arguments, size_t shared,
                             cudaStream_t handle) {
    if (breaks_now()) return sticky();
    int failure = planned_failure("cudaLaunchKernel");
    if (failure) return failed(failure);
    const char *name = kernel(function)->name;
    if (launched(name ? name : "unknown", handle, 1)) return cudaSuccess;
    notice_left_out(stream_of(handle), "a kernel");
    if (name && arguments) fill(name, arguments);
    return cudaSuccess;
}
cudaError_t __cudaLaunchKernel(cudaKernel_t kernel, dim3 grid, dim3 block, void **arguments, size_t shared,
                               cudaStream_t handle) {
    return cudaLaunchKernel((const void *)kernel, grid, block, arguments, shared, handle);
}
cudaError_t cudaLaunchKernelExC(const cudaLaunchConfig_t *given, const void *function, void **arguments) {
    return cudaLaunchKernel(function, given->gridDim, given->blockDim, arguments, 0, given->stream);
}
cudaError_t cudaFuncGetAttributes(struct cudaFuncAttributes *attributes, const void *function) {
    memset(attributes, 0, sizeof *attributes);
    attributes->maxThreadsPerBlock = 1024;
    attributes->numRegs = 32;
    attributes->ptxVersion = attributes->binaryVersion = 90;
    attributes->maxDynamicSharedSizeBytes = 49152;
    return cudaSuccess;
}
cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int *blocks_per, const void *function, int threads,
                                                                   size_t shared, unsigned flags) {
    *blocks_per = 2;
    return cudaSuccess;
}
cudaError_t cudaGetSymbolAddress(void **pointer, const void *symbol) {
    *pointer = (void *)symbol;
    return cudaSuccess;
}

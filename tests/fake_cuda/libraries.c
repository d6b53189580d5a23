/* cuBLAS, cuDNN and the driver. Their handles and descriptors are zeroed memory that begins with the stream. */
#include "fake.h"
#include <cudnn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Handle {
    void *stream;
    const void *workspace;
    int mathematics, pointers;
} Handle;

enum { OBJECT_BYTES = 256 };

int fake_create(const char *name, void **object) {
    int failure = planned_failure(name);
    if (failure) return failure;
    *object = calloc(1, OBJECT_BYTES);
    return 0;
}

/* Counts a call whose first argument is a handle; the name tells whether products are rounded to TF32. */
int fake_library(const char *name, void **object) {
    Handle *handle = (Handle *)object;
    char text[128];
    int is_rounded = !strncmp(name, "cublas", 6) && handle->mathematics == 3; /* CUBLAS_TF32_TENSOR_OP_MATH */
    snprintf(text, sizeof text, "%s%s", name, is_rounded ? " tf32" : "");
    int failure = planned_failure(name);
    if (failure) return failure;
    launched(text, handle->stream, 0);
    works_in(handle->stream, handle->workspace);
    return 0;
}

/* ---- cuBLAS ---- */

int cublasSetStream_v2(Handle *handle, void *stream) {
    handle->stream = stream;
    return 0;
}
int cublasSetWorkspace_v2(Handle *handle, const void *workspace, size_t bytes) {
    handle->workspace = workspace;
    return 0;
}
int cublasSetMathMode(Handle *handle, int mode) {
    handle->mathematics = mode;
    return 0;
}
int cublasGetMathMode(Handle *handle, int *mode) {
    *mode = handle->mathematics;
    return 0;
}
int cublasSetPointerMode_v2(Handle *handle, int mode) {
    handle->pointers = mode;
    return 0;
}
int cublasGetPointerMode_v2(Handle *handle, int *mode) {
    *mode = handle->pointers;
    return 0;
}
size_t cublasLtGetVersion(void) { return 130100; }
int cublasLtMatmulAlgoGetHeuristic(void *handle, void *operation, void *a, void *b, void *c, void *d, void *preference,
                                   int asked, void *results, int *found) {
    memset(results, 0, 96); /* one cublasLtMatmulHeuristicResult_t, which needs no workspace */
    *found = 1;
    return 0;
}
int cublasLtMatmul(void *handle, void *operation, const void *alpha, const void *a, void *a_layout, const void *b,
                   void *b_layout, const void *beta, const void *c, void *c_layout, void *d, void *d_layout,
                   const void *algorithm, void *workspace, size_t bytes, void *stream) {
    launched("cublasLtMatmul", stream, 0);
    works_in(stream, workspace);
    return 0;
}

/* ---- cuDNN: the kind of convolution is handed from a descriptor to those that are made of it ---- */

typedef struct Descriptor {
    cudnnBackendDescriptorType_t type;
    const char *operation;
} Descriptor;

cudnnStatus_t cudnnSetStream(cudnnHandle_t handle, cudaStream_t stream) {
    ((Handle *)handle)->stream = stream;
    return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnGetStream(cudnnHandle_t handle, cudaStream_t *stream) {
    *stream = ((Handle *)handle)->stream;
    return CUDNN_STATUS_SUCCESS;
}
size_t cudnnGetVersion(void) { return CUDNN_VERSION; }
size_t cudnnGetCudartVersion(void) { return CUDART_VERSION; }
const char *cudnnGetErrorString(cudnnStatus_t status) {
    int is_memory = status == CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED;
    return is_memory ? "CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED" : "an error of cuDNN";
}
void cudnnGetLastErrorString(char *text, size_t bytes) {
    if (bytes) *text = 0;
}

cudnnStatus_t cudnnBackendCreateDescriptor(cudnnBackendDescriptorType_t type, cudnnBackendDescriptor_t *made) {
    Descriptor *descriptor = calloc(1, OBJECT_BYTES);
    descriptor->type = type;
    if (type == CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR)
        descriptor->operation = "cudnn convolution";
    if (type == CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR)
        descriptor->operation = "cudnn convolution, gradient of the input";
    if (type == CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR)
        descriptor->operation = "cudnn convolution, gradient of the filter";
    *made = descriptor;
    return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnBackendDestroyDescriptor(cudnnBackendDescriptor_t descriptor) {
    free(descriptor);
    return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnBackendFinalize(cudnnBackendDescriptor_t descriptor) { return CUDNN_STATUS_SUCCESS; }

cudnnStatus_t cudnnBackendSetAttribute(cudnnBackendDescriptor_t whole, cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t type, int64_t count, const void *values) {
    if (type != CUDNN_TYPE_BACKEND_DESCRIPTOR || count < 1 || !values) return CUDNN_STATUS_SUCCESS;
    Descriptor *part = *(Descriptor *const *)values;
    if (part && part->operation) ((Descriptor *)whole)->operation = part->operation;
    return CUDNN_STATUS_SUCCESS;
}
/* One value of each attribute: 0, or the descriptor that was passed in; no notes, so that no engine is left out. */
cudnnStatus_t cudnnBackendGetAttribute(cudnnBackendDescriptor_t whole, cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t type, int64_t asked, int64_t *count, void *values) {
    int is_note = type == CUDNN_TYPE_NUMERICAL_NOTE || type == CUDNN_TYPE_BEHAVIOR_NOTE;
    if (count) *count = !is_note;
    if (!values || asked < 1 || is_note) return CUDNN_STATUS_SUCCESS;
    if (type == CUDNN_TYPE_BACKEND_DESCRIPTOR) {
        Descriptor *part = *(Descriptor **)values;
        if (part && ((Descriptor *)whole)->operation) part->operation = ((Descriptor *)whole)->operation;
    } else if (type == CUDNN_TYPE_INT64) *(int64_t *)values = 0;
    else if (type == CUDNN_TYPE_INT32) *(int32_t *)values = 0;
    else if (type == CUDNN_TYPE_BOOLEAN) *(char *)values = 0;
    return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnBackendExecute(cudnnHandle_t handle, cudnnBackendDescriptor_t plan, cudnnBackendDescriptor_t data) {
    const char *operation = ((Descriptor *)plan)->operation;
    launched(operation ? operation : "cudnn", ((Handle *)handle)->stream, 0);
    return CUDNN_STATUS_SUCCESS;
}

#define NO_BYTES(name, ...)                                                                                            \
    cudnnStatus_t name(__VA_ARGS__, size_t *bytes) {                                                                   \
        *bytes = 0;                                                                                                    \
        return CUDNN_STATUS_SUCCESS;                                                                                   \
    }
NO_BYTES(cudnnGetBatchNormalizationForwardTrainingExWorkspaceSize, cudnnHandle_t handle, cudnnBatchNormMode_t mode,
         cudnnBatchNormOps_t operation, const cudnnTensorDescriptor_t x, const cudnnTensorDescriptor_t z,
         const cudnnTensorDescriptor_t y, const cudnnTensorDescriptor_t scale,
         const cudnnActivationDescriptor_t activation)
NO_BYTES(cudnnGetBatchNormalizationBackwardExWorkspaceSize, cudnnHandle_t handle, cudnnBatchNormMode_t mode,
         cudnnBatchNormOps_t operation, const cudnnTensorDescriptor_t x, const cudnnTensorDescriptor_t y,
         const cudnnTensorDescriptor_t dy, const cudnnTensorDescriptor_t dz, const cudnnTensorDescriptor_t dx,
         const cudnnTensorDescriptor_t scale, const cudnnActivationDescriptor_t activation)
NO_BYTES(cudnnGetBatchNormalizationTrainingExReserveSpaceSize, cudnnHandle_t handle, cudnnBatchNormMode_t mode,
         cudnnBatchNormOps_t operation, const cudnnActivationDescriptor_t activation, const cudnnTensorDescriptor_t x)

/* ---- the driver ---- */

int cuDevicePrimaryCtxGetState(int device, unsigned *flags, int *active) {
    if (flags) *flags = 0;
    *active = 1;
    return 0;
}
int cuCtxGetCurrent(void **context) {
    *context = (void *)1;
    return 0;
}
int cuLaunchKernel(void *function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x, unsigned block_y,
                   unsigned block_z, unsigned shared, void *stream, void **arguments, void **others) {
    launched("a kernel compiled at run time", stream, 1);
    return 0;
}
static int succeed(void) { return 0; }
cudaError_t cudaGetDriverEntryPointByVersion(const char *name, void **function, unsigned version,
                                             unsigned long long flags, enum cudaDriverEntryPointQueryResult *result) {
    *function = !strcmp(name, "cuDevicePrimaryCtxGetState") ? (void *)cuDevicePrimaryCtxGetState : (void *)succeed;
    if (result) *result = cudaDriverEntryPointSuccess;
    return cudaSuccess;
}

// Implements gpu/functions.h with CUDA's runtime and NCCL.
#include <sched.h>

#include <cstring>
#include <mutex>
#include <string>
#include <vector>

#include "engine.h"
#include "gpu/functions.h"
#include "nccl/libraries.h"

static_assert(sizeof(ncclUniqueId) == DDL_NCCL_ID_BYTES, "NCCL's id has another size");

struct ddl_gpu {
  int number = 0;
  char address[32] = "";
  const ddl::Cuda* cuda = nullptr;
  const ddl::Nccl* nccl = nullptr;
  cudaStream_t stream = nullptr;
  ncclComm_t communicator = nullptr;
  std::vector<char> pinned;              // page-locked
  std::mutex mutex;                      // protects what follows
  std::vector<cudaEvent_t> free_events;  // recycled events
};

namespace {

thread_local std::string last_error;

const char* set_error(const std::string& error_text) {
  last_error = error_text;
  return last_error.c_str();
}

const char* error_text(const ddl::Cuda* cuda, const char* what, cudaError_t error) {
  return error == cudaSuccess ? nullptr : set_error(std::string(what) + ": " + cuda->cudaGetErrorString(error));
}

// With NCCL's own last message, which is more specific than the error code.
const char* error_text(ddl_gpu* gpu, const char* what, ncclResult_t result) {
  if (result == ncclSuccess || result == ncclInProgress) return nullptr;
  std::string text = std::string(what) + ": " + gpu->nccl->ncclGetErrorString(result);
  const char* last = gpu->nccl->ncclGetLastError(gpu->communicator);
  if (last && *last) text += std::string(" (") + last + ")";
  return set_error(text + "; NCCL_DEBUG=INFO shows more");
}

#define DDL_TRY_CUDA(gpu, function, ...) \
  if (const char* failure = error_text((gpu)->cuda, #function, (gpu)->cuda->function(__VA_ARGS__))) return failure
#define DDL_TRY_NCCL(gpu, function, ...) \
  if (const char* failure = error_text(gpu, #function, (gpu)->nccl->function(__VA_ARGS__))) return failure

// A thread's current GPU belongs to its owner (TensorFlow caches it): it is set temporarily, and restored.
class DeviceGuard {
 public:
  explicit DeviceGuard(const ddl_gpu* gpu) : cuda_(gpu->cuda) {
    if (cuda_->cudaGetDevice(&before_) != cudaSuccess || before_ == gpu->number) before_ = -1;
    if (before_ >= 0) cuda_->cudaSetDevice(gpu->number);
  }
  ~DeviceGuard() {
    if (before_ >= 0) cuda_->cudaSetDevice(before_);
  }

 private:
  const ddl::Cuda* cuda_;
  int before_ = -1;
};

ncclDataType_t type_of(int type) {
  switch (type) {
    case DDL_FLOAT16:
      return ncclFloat16;
    case DDL_BFLOAT16:
      // ncclBfloat16, which nccl.h declares only if cuda_bf16.h is included.
      return static_cast<ncclDataType_t>(9);
    case DDL_FLOAT32:
      return ncclFloat32;
    case DDL_FLOAT64:
      return ncclFloat64;
    case DDL_INT32:
      return ncclInt32;
    case DDL_INT64:
      return ncclInt64;
    default:
      return ncclUint8;
  }
}

ncclRedOp_t op_of(int reduction) {
  return reduction == DDL_AVERAGE ? ncclAvg : reduction == DDL_MIN ? ncclMin : reduction == DDL_MAX ? ncclMax : ncclSum;
}

void add_search_path(const char* folder) { ddl::add_search_path(folder); }

const char* count(int* gpus) {
  std::string why;
  const ddl::Cuda* cuda = ddl::cuda(&why);
  *gpus = 0;
  if (!cuda) return set_error(why);
  return error_text(cuda, "cudaGetDeviceCount", cuda->cudaGetDeviceCount(gpus));
}

const char* open_device(ddl_gpu* gpu, int local_rank) {
  int gpus = 0;
  if (const char* failure = count(&gpus)) return failure;
  if (gpus == 0) return set_error("CUDA sees no GPU");
  std::string why;
  gpu->cuda = ddl::cuda(&why);
  if (gpus > 1 && local_rank >= gpus) {
    return set_error("local rank " + std::to_string(local_rank) + " has no GPU of its own: CUDA sees " +
                     std::to_string(gpus));
  }
  gpu->number = gpus == 1 ? 0 : local_rank;
  DDL_TRY_CUDA(gpu, cudaDeviceGetPCIBusId, gpu->address, static_cast<int>(sizeof gpu->address), gpu->number);
  DDL_TRY_CUDA(gpu, cudaSetDevice, gpu->number);  // permanently, for the engine's thread, which this is
  DDL_TRY_CUDA(gpu, cudaStreamCreateWithFlags, &gpu->stream, cudaStreamNonBlocking);
  return nullptr;
}

const char* open(int local_rank, ddl_gpu** opened) {
  ddl_gpu* gpu = new ddl_gpu();
  const char* failure = open_device(gpu, local_rank);
  if (failure) delete gpu;
  *opened = failure ? nullptr : gpu;
  return failure;
}

const char* address(const ddl_gpu* gpu) { return gpu->address; }

void recycle_event(ddl_gpu* gpu, cudaEvent_t event) {
  std::lock_guard<std::mutex> lock(gpu->mutex);
  gpu->free_events.push_back(event);
}

const char* event_after(ddl_gpu* gpu, cudaStream_t stream, void** recorded) {
  cudaEvent_t event = nullptr;
  {
    std::lock_guard<std::mutex> lock(gpu->mutex);
    if (!gpu->free_events.empty()) {
      event = gpu->free_events.back();
      gpu->free_events.pop_back();
    }
  }
  if (!event) {
    DeviceGuard here(gpu);
    DDL_TRY_CUDA(gpu, cudaEventCreateWithFlags, &event, cudaEventDisableTiming);
  }
  if (const char* failure = error_text(gpu->cuda, "cudaEventRecord", gpu->cuda->cudaEventRecord(event, stream))) {
    recycle_event(gpu, event);
    return failure;
  }
  *recorded = event;
  return nullptr;
}

const char* record(ddl_gpu* gpu, void* stream, const void* tensor, void** event) {
  if (tensor) {
    cudaPointerAttributes found = {};
    DDL_TRY_CUDA(gpu, cudaPointerGetAttributes, &found, tensor);
    if (found.type != cudaMemoryTypeDevice && found.type != cudaMemoryTypeManaged) {
      return set_error("the tensor is not in GPU memory");
    }
    if (found.device != gpu->number) {
      return set_error("the tensor is on GPU " + std::to_string(found.device) + ", but this rank uses GPU " +
                       std::to_string(gpu->number) + ": make only that one visible to the framework");
    }
  }
  return event_after(gpu, static_cast<cudaStream_t>(stream), event);
}

// The recorded state is captured by the stream when the call returns, so the event may be recorded again.
const char* wait_event(ddl_gpu* gpu, void* event) {
  const cudaError_t error = gpu->cuda->cudaStreamWaitEvent(gpu->stream, static_cast<cudaEvent_t>(event), 0);
  recycle_event(gpu, static_cast<cudaEvent_t>(event));
  return error_text(gpu->cuda, "cudaStreamWaitEvent", error);
}

const char* copy(ddl_gpu* gpu, void* to, const void* from, size_t bytes) {
  DDL_TRY_CUDA(gpu, cudaMemcpyAsync, to, from, bytes, cudaMemcpyDefault, gpu->stream);
  return nullptr;
}

const char* finish(ddl_gpu* gpu) {
  DDL_TRY_CUDA(gpu, cudaStreamSynchronize, gpu->stream);
  return nullptr;
}

const char* pinned_buffer(ddl_gpu* gpu, size_t bytes, void** memory) {
  if (bytes > gpu->pinned.size()) {
    if (!gpu->pinned.empty()) DDL_TRY_CUDA(gpu, cudaHostUnregister, gpu->pinned.data());
    std::vector<char>().swap(gpu->pinned);
    std::vector<char> made(bytes);
    DDL_TRY_CUDA(gpu, cudaHostRegister, made.data(), bytes, cudaHostRegisterDefault);
    gpu->pinned.swap(made);
  }
  *memory = gpu->pinned.data();
  return nullptr;
}

const char* load_nccl(ddl_gpu* gpu) {
  std::string why;
  gpu->nccl = ddl::nccl(&why);
  return gpu->nccl ? nullptr : set_error(why);
}

const char* unique_id(ddl_gpu* gpu, char* id) {
  ncclUniqueId made;
  DDL_TRY_NCCL(gpu, ncclGetUniqueId, &made);
  std::memcpy(id, &made, sizeof made);
  return nullptr;
}

// Non-blocking, so that ranks can tell each other meanwhile if one of them fails.
const char* connect(ddl_gpu* gpu, const char* id, int rank, int size) {
  ncclUniqueId known;
  std::memcpy(&known, id, sizeof known);
  ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
  config.blocking = 0;
  DDL_TRY_NCCL(gpu, ncclCommInitRankConfig, &gpu->communicator, size, known, rank, &config);
  return nullptr;
}

const char* check(ddl_gpu* gpu, int* state) {
  ncclResult_t result = ncclSuccess;
  *state = DDL_GPU_FAILED;
  DDL_TRY_NCCL(gpu, ncclCommGetAsyncError, gpu->communicator, &result);
  if (const char* failure = error_text(gpu, "NCCL", result)) return failure;
  *state = result == ncclInProgress ? DDL_GPU_BUSY : DDL_GPU_READY;
  return nullptr;
}

ncclResult_t enqueue_collective(ddl_gpu* gpu, const ddl_gpu_tensor& tensor) {
  if (tensor.kind == DDL_BROADCAST) {
    return gpu->nccl->ncclBroadcast(tensor.input, tensor.output, tensor.count, type_of(tensor.type), tensor.op_or_root,
                                    gpu->communicator, gpu->stream);
  }
  return gpu->nccl->ncclAllReduce(tensor.input, tensor.output, tensor.count, type_of(tensor.type), op_of(tensor.op_or_root),
                                  gpu->communicator, gpu->stream);
}

const char* enqueue_group(ddl_gpu* gpu, const ddl_gpu_tensor* tensors, size_t count, void** event) {
  DDL_TRY_NCCL(gpu, ncclGroupStart);
  ncclResult_t first = ncclSuccess;
  for (size_t index = 0; index < count && (first == ncclSuccess || first == ncclInProgress); ++index) {
    first = enqueue_collective(gpu, tensors[index]);
  }
  const ncclResult_t ended = gpu->nccl->ncclGroupEnd();
  if (const char* failure = error_text(gpu, "NCCL collective", first)) return failure;
  if (const char* failure = error_text(gpu, "ncclGroupEnd", ended)) return failure;
  // Until NCCL reports success the group is not in the stream yet, and an event would precede it.
  for (int state = DDL_GPU_BUSY; state == DDL_GPU_BUSY;) {
    if (const char* failure = check(gpu, &state)) return failure;
    if (state == DDL_GPU_BUSY) sched_yield();
  }
  return event_after(gpu, gpu->stream, event);
}

const char* query_event(ddl_gpu* gpu, void* event, int* state) {
  const cudaError_t error = gpu->cuda->cudaEventQuery(static_cast<cudaEvent_t>(event));
  if (error == cudaErrorNotReady) {
    if (const char* failure = check(gpu, state)) return failure;
    *state = DDL_GPU_BUSY;
    return nullptr;
  }
  *state = DDL_GPU_FAILED;
  if (const char* failure = error_text(gpu->cuda, "a collective on the GPU", error)) return failure;
  recycle_event(gpu, static_cast<cudaEvent_t>(event));
  *state = DDL_GPU_READY;
  return nullptr;
}

void disconnect(ddl_gpu* gpu) {
  if (gpu->communicator) gpu->nccl->ncclCommAbort(gpu->communicator);
  gpu->communicator = nullptr;
}

const ddl_gpu_functions functions = {add_search_path, count, open, address, record, wait_event, copy, finish,
                                     pinned_buffer, load_nccl, unique_id, connect, check, enqueue_group, query_event,
                                     disconnect};

}  // namespace

extern "C" DDL_API const ddl_gpu_functions* ddl_gpu_entry(void) { return &functions; }

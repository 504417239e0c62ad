// The functions of gpu/functions.h, over CUDA's runtime and NCCL.
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
  std::vector<char> host;  // page-locked
  std::mutex mutex;  // of what follows
  std::vector<cudaEvent_t> events;  // that no one uses
};

namespace {

thread_local std::string said;

const char* say(const std::string& words) {
  said = words;
  return said.c_str();
}

const char* words(const ddl::Cuda* cuda, const char* what, cudaError_t error) {
  return error == cudaSuccess ? nullptr : say(std::string(what) + ": " + cuda->cudaGetErrorString(error));
}

// With NCCL's own last line, which says more than the kind of error.
const char* words(ddl_gpu* gpu, const char* what, ncclResult_t result) {
  if (result == ncclSuccess || result == ncclInProgress) return nullptr;
  std::string text = std::string(what) + ": " + gpu->nccl->ncclGetErrorString(result);
  const char* last = gpu->nccl->ncclGetLastError(gpu->communicator);
  if (last && *last) text += std::string(" (") + last + ")";
  return say(text + "; NCCL_DEBUG=INFO tells more");
}

#define DDL_TRY_CUDA(gpu, function, ...) \
  if (const char* bad = words((gpu)->cuda, #function, (gpu)->cuda->function(__VA_ARGS__))) return bad
#define DDL_TRY_NCCL(gpu, function, ...) \
  if (const char* bad = words(gpu, #function, (gpu)->nccl->function(__VA_ARGS__))) return bad

// A thread's current GPU is its owner's business (TensorFlow keeps book of it): taken for a moment, and given back.
class OnDevice {
 public:
  explicit OnDevice(const ddl_gpu* gpu) : cuda_(gpu->cuda) {
    if (cuda_->cudaGetDevice(&before_) != cudaSuccess || before_ == gpu->number) before_ = -1;
    if (before_ >= 0) cuda_->cudaSetDevice(gpu->number);
  }
  ~OnDevice() {
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
      // ncclBfloat16, which nccl.h names only to those who include cuda_bf16.h.
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

void look_in(const char* folder) { ddl::look_in(folder); }

const char* count(int* gpus) {
  std::string why;
  const ddl::Cuda* cuda = ddl::cuda(&why);
  *gpus = 0;
  if (!cuda) return say(why);
  return words(cuda, "cudaGetDeviceCount", cuda->cudaGetDeviceCount(gpus));
}

const char* make(ddl_gpu* gpu, int local_rank) {
  int gpus = 0;
  if (const char* bad = count(&gpus)) return bad;
  if (gpus == 0) return say("CUDA sees no GPU");
  std::string why;
  gpu->cuda = ddl::cuda(&why);
  if (gpus > 1 && local_rank >= gpus) {
    return say("local rank " + std::to_string(local_rank) + " has no GPU of its own: CUDA sees " + std::to_string(gpus));
  }
  gpu->number = gpus == 1 ? 0 : local_rank;
  DDL_TRY_CUDA(gpu, cudaDeviceGetPCIBusId, gpu->address, static_cast<int>(sizeof gpu->address), gpu->number);
  DDL_TRY_CUDA(gpu, cudaSetDevice, gpu->number);  // for the engine's thread, which is this one, for good
  DDL_TRY_CUDA(gpu, cudaStreamCreateWithFlags, &gpu->stream, cudaStreamNonBlocking);
  return nullptr;
}

const char* open(int local_rank, ddl_gpu** opened) {
  ddl_gpu* gpu = new ddl_gpu();
  const char* bad = make(gpu, local_rank);
  if (bad) delete gpu;
  *opened = bad ? nullptr : gpu;
  return bad;
}

const char* address(const ddl_gpu* gpu) { return gpu->address; }

void give_back(ddl_gpu* gpu, cudaEvent_t event) {
  std::lock_guard<std::mutex> lock(gpu->mutex);
  gpu->events.push_back(event);
}

const char* event_after(ddl_gpu* gpu, cudaStream_t stream, void** recorded) {
  cudaEvent_t event = nullptr;
  {
    std::lock_guard<std::mutex> lock(gpu->mutex);
    if (!gpu->events.empty()) {
      event = gpu->events.back();
      gpu->events.pop_back();
    }
  }
  if (!event) {
    OnDevice here(gpu);
    DDL_TRY_CUDA(gpu, cudaEventCreateWithFlags, &event, cudaEventDisableTiming);
  }
  if (const char* bad = words(gpu->cuda, "cudaEventRecord", gpu->cuda->cudaEventRecord(event, stream))) {
    give_back(gpu, event);
    return bad;
  }
  *recorded = event;
  return nullptr;
}

const char* record(ddl_gpu* gpu, void* stream, const void* tensor, void** event) {
  if (tensor) {
    cudaPointerAttributes found = {};
    DDL_TRY_CUDA(gpu, cudaPointerGetAttributes, &found, tensor);
    if (found.type != cudaMemoryTypeDevice && found.type != cudaMemoryTypeManaged) {
      return say("the tensor is not in a GPU's memory");
    }
    if (found.device != gpu->number) {
      return say("the tensor is on GPU " + std::to_string(found.device) + ", and this rank's is GPU " +
                 std::to_string(gpu->number) + ": let the framework see that one alone");
    }
  }
  return event_after(gpu, static_cast<cudaStream_t>(stream), event);
}

// What was recorded is in the stream once the call returns: the event may then be recorded anew.
const char* follow(ddl_gpu* gpu, void* event) {
  const cudaError_t error = gpu->cuda->cudaStreamWaitEvent(gpu->stream, static_cast<cudaEvent_t>(event), 0);
  give_back(gpu, static_cast<cudaEvent_t>(event));
  return words(gpu->cuda, "cudaStreamWaitEvent", error);
}

const char* copy(ddl_gpu* gpu, void* to, const void* from, size_t bytes) {
  DDL_TRY_CUDA(gpu, cudaMemcpyAsync, to, from, bytes, cudaMemcpyDefault, gpu->stream);
  return nullptr;
}

const char* finish(ddl_gpu* gpu) {
  DDL_TRY_CUDA(gpu, cudaStreamSynchronize, gpu->stream);
  return nullptr;
}

const char* host_memory(ddl_gpu* gpu, size_t bytes, void** memory) {
  if (bytes > gpu->host.size()) {
    if (!gpu->host.empty()) DDL_TRY_CUDA(gpu, cudaHostUnregister, gpu->host.data());
    std::vector<char>().swap(gpu->host);
    std::vector<char> made(bytes);
    DDL_TRY_CUDA(gpu, cudaHostRegister, made.data(), bytes, cudaHostRegisterDefault);
    gpu->host.swap(made);
  }
  *memory = gpu->host.data();
  return nullptr;
}

const char* find_nccl(ddl_gpu* gpu) {
  std::string why;
  gpu->nccl = ddl::nccl(&why);
  return gpu->nccl ? nullptr : say(why);
}

const char* make_id(ddl_gpu* gpu, char* id) {
  ncclUniqueId made;
  DDL_TRY_NCCL(gpu, ncclGetUniqueId, &made);
  std::memcpy(id, &made, sizeof made);
  return nullptr;
}

// Without blocking: while it lasts, ranks can tell each other of one that could not.
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
  if (const char* bad = words(gpu, "NCCL", result)) return bad;
  *state = result == ncclInProgress ? DDL_GPU_BUSY : DDL_GPU_READY;
  return nullptr;
}

ncclResult_t give(ddl_gpu* gpu, const ddl_gpu_piece& piece) {
  if (piece.kind == DDL_BROADCAST) {
    return gpu->nccl->ncclBroadcast(piece.input, piece.output, piece.count, type_of(piece.type), piece.how, gpu->communicator,
                                    gpu->stream);
  }
  return gpu->nccl->ncclAllReduce(piece.input, piece.output, piece.count, type_of(piece.type), op_of(piece.how),
                                  gpu->communicator, gpu->stream);
}

const char* collect(ddl_gpu* gpu, const ddl_gpu_piece* pieces, size_t count, void** event) {
  DDL_TRY_NCCL(gpu, ncclGroupStart);
  ncclResult_t first = ncclSuccess;
  for (size_t index = 0; index < count && (first == ncclSuccess || first == ncclInProgress); ++index) {
    first = give(gpu, pieces[index]);
  }
  const ncclResult_t ended = gpu->nccl->ncclGroupEnd();
  if (const char* bad = words(gpu, "NCCL's collective", first)) return bad;
  if (const char* bad = words(gpu, "ncclGroupEnd", ended)) return bad;
  // Until it is said to be done, the stream does not have the group yet, and an event would come before it.
  for (int state = DDL_GPU_BUSY; state == DDL_GPU_BUSY;) {
    if (const char* bad = check(gpu, &state)) return bad;
    if (state == DDL_GPU_BUSY) sched_yield();
  }
  return event_after(gpu, gpu->stream, event);
}

const char* passed(ddl_gpu* gpu, void* event, int* state) {
  const cudaError_t error = gpu->cuda->cudaEventQuery(static_cast<cudaEvent_t>(event));
  if (error == cudaErrorNotReady) {
    if (const char* bad = check(gpu, state)) return bad;
    *state = DDL_GPU_BUSY;
    return nullptr;
  }
  *state = DDL_GPU_FAILED;
  if (const char* bad = words(gpu->cuda, "a collective on the GPU", error)) return bad;
  give_back(gpu, static_cast<cudaEvent_t>(event));
  *state = DDL_GPU_READY;
  return nullptr;
}

void disconnect(ddl_gpu* gpu) {
  if (gpu->communicator) gpu->nccl->ncclCommAbort(gpu->communicator);
  gpu->communicator = nullptr;
}

const ddl_gpu_functions functions = {look_in, count, open, address, record, follow, copy, finish, host_memory, find_nccl,
                                     make_id, connect, check, collect, passed, disconnect};

}  // namespace

extern "C" DDL_API const ddl_gpu_functions* ddl_gpu_entry(void) { return &functions; }

#include "gpu/gpu.h"

#include <dlfcn.h>

#include <cstdio>
#include <cstring>
#include <fstream>
#include <sstream>
#include <unordered_map>

#include "collectives/arithmetic.h"
#include "collectives/backoff.h"
#include "engine.h"

namespace ddl {
namespace {

const size_t kAlignment = 64;  // bytes: alignment of the copies in host memory

const char kLibrary[] = "libddl_nccl.so";

// From the directory of this library, by its path: a sanitizer's dlopen does not know our $ORIGIN.
void* open_next_to_engine() {
  Dl_info here;
  if (!dladdr(reinterpret_cast<const void*>(kLibrary), &here) || !here.dli_fname) return nullptr;
  const std::string path = here.dli_fname;
  return dlopen((path.substr(0, path.rfind('/') + 1) + kLibrary).c_str(), RTLD_NOW);
}

// From the directory of this library, or from the system's search path. Never unloaded.
const ddl_gpu_functions* load_functions(std::string* why) {
  static std::string error_text;
  static const ddl_gpu_functions* const functions = [](std::string* reason) -> const ddl_gpu_functions* {
    void* library = open_next_to_engine();
    if (!library) library = dlopen(kLibrary, RTLD_NOW);
    void* entry = library ? dlsym(library, DDL_GPU_ENTRY) : nullptr;
    if (!entry) {
      *reason = dlerror();
      return nullptr;
    }
    return reinterpret_cast<ddl_gpu_entry_type>(entry)();
  }(&error_text);
  *why = error_text;
  return functions;
}

// Identifies the GPU: two containers of one machine have different host names, but the same boot id.
std::string identity(const std::string& address) {
  std::string boot;
  std::ifstream("/proc/sys/kernel/random/boot_id") >> boot;
  return boot + " " + address;
}

int max_over_ranks(int value, MPI_Comm comm) {
  int result = value;
  MPI_Allreduce(&value, &result, 1, MPI_INT, MPI_MAX, comm);
  return result;
}

}  // namespace

void Gpu::add_search_path(const char* folder) {
  std::string why;
  if (const ddl_gpu_functions* functions = load_functions(&why)) functions->add_search_path(folder);
}

bool Gpu::seen() {
  std::string why;
  int gpus = 0;
  const ddl_gpu_functions* functions = load_functions(&why);
  return functions && !functions->count(&gpus) && gpus > 0;
}

Gpu::Gpu(const Mode& mode, const Topology& topology, int local_rank) : topology_(topology) {
  functions_ = load_functions(&no_gpu_reason_);
  if (functions_) {
    if (const char* failure = functions_->open(local_rank, &gpu_)) no_gpu_reason_ = failure;
  }
  const bool anyone = max_over_ranks(gpu_ != nullptr, topology_.world) != 0;
  if (!anyone && mode.nccl_requested) warning_ = "-mode n: no rank has a GPU (" + no_gpu_reason_ + "); using b";
  if (!anyone || !mode.nccl) return;
  std::string reason = unavailable_reason(no_gpu_reason_);
  if (reason.empty()) reason = connect();
  uses_nccl_ = reason.empty();
  if (!uses_nccl_) warning_ = "no NCCL: GPU tensors are staged through host memory: " + reason;
}

// Why not all ranks can use NCCL together, the same message on all of them; "" if they can.
std::string Gpu::unavailable_reason(const std::string& mine) const {
  struct RankInfo {
    char identity[64], why[256];
  };
  RankInfo info = {};
  std::string why = mine;
  if (gpu_) {
    if (const char* failure = functions_->load_nccl(gpu_)) why = failure;
    std::snprintf(info.identity, sizeof info.identity, "%s", identity(functions_->address(gpu_)).c_str());
  }
  std::snprintf(info.why, sizeof info.why, "%s", why.c_str());
  std::vector<RankInfo> infos(static_cast<size_t>(topology_.size));
  MPI_Allgather(&info, sizeof info, MPI_BYTE, infos.data(), sizeof info, MPI_BYTE, topology_.world);
  std::unordered_map<std::string, size_t> first_rank_on;
  std::string first;
  int more = -1;
  for (size_t rank = 0; rank < infos.size(); ++rank) {
    std::ostringstream message;
    if (infos[rank].why[0]) {
      message << "rank " << rank << ": " << infos[rank].why;
    } else {
      const auto inserted = first_rank_on.insert({infos[rank].identity, rank});
      if (inserted.second) continue;
      message << "ranks " << inserted.first->second << " and " << rank << " share one GPU";
    }
    if (more++ < 0) first = message.str();
  }
  if (more > 0) first += " (and " + std::to_string(more) + " more)";
  return first;
}

// Broadcasts rank 0's id over MPI and initialises NCCL. Returns why it failed, the same on all ranks.
std::string Gpu::connect() {
  char id[DDL_NCCL_ID_BYTES] = {};
  std::string why;
  if (topology_.rank == 0) {
    if (const char* failure = functions_->unique_id(gpu_, id)) why = failure;
  }
  MPI_Bcast(id, sizeof id, MPI_BYTE, 0, topology_.world);
  if (max_over_ranks(!why.empty(), topology_.world)) return unavailable_reason(why);
  if (const char* failure = functions_->connect(gpu_, id, topology_.rank, topology_.size)) why = failure;
  // In lockstep, so that a rank that fails does not leave the others waiting.
  const double begin = now();
  bool reported = false;
  for (;;) {
    int state = DDL_GPU_FAILED;
    if (why.empty()) {
      if (const char* failure = functions_->check(gpu_, &state)) why = failure;
    }
    state = max_over_ranks(state, topology_.world);
    if (state == DDL_GPU_READY) return "";
    if (state == DDL_GPU_FAILED) break;
    if (!reported && topology_.rank == 0 && now() - begin > 30) {
      reported = true;
      std::fprintf(stderr, "ddl: NCCL has been initialising for 30 s; NCCL_DEBUG=INFO shows details\n");
    }
    const timespec moment = {0, 1000 * 1000};
    nanosleep(&moment, nullptr);
  }
  functions_->disconnect(gpu_);
  return unavailable_reason(why);
}

bool Gpu::prepare(void* stream, Request* request, std::string* error) {
  if (!gpu_) {
    *error = request->name + ": a tensor on a GPU, but this rank has none: " + no_gpu_reason_;
    return false;
  }
  const void* tensor = nullptr;
  for (const Request::Tensor& each : request->tensors) {
    if (each.count > 0) tensor = each.input;
  }
  if (const char* failure = functions_->record(gpu_, stream, tensor, &request->event)) {
    *error = request->name + ": " + failure;
    return false;
  }
  request->on_gpu = true;
  // NCCL needs all ranks' tensors on GPUs; through host memory, GPU and CPU tensors can be combined.
  if (uses_nccl_) request->signature = on_gpu(request->signature);
  return true;
}

void Gpu::check(const char* message) const {
  if (!message) return;
  const std::string error_text = message;
  functions_->disconnect(gpu_);
  ddl_abort(error_text.c_str(), 1);
}

void Gpu::launch(Batch&& batch, double waited) {
  std::vector<ddl_gpu_tensor> tensors;
  for (const Request& request : batch) {
    check(functions_->wait_event(gpu_, request.event));
    for (const Request::Tensor& tensor : request.tensors) {
      if (tensor.count == 0) continue;
      tensors.push_back({tensor.input, tensor.output, tensor.count, request.kind, request.op_or_root, tensor.type});
    }
  }
  void* event = nullptr;
  check(functions_->enqueue_group(gpu_, tensors.data(), tensors.size(), &event));
  const double since = now();
  launched_.push_back({std::move(batch), event, since, waited, since});
}

bool Gpu::complete_next(double stall_seconds, Launched* completed) {
  if (launched_.empty()) return false;
  Launched& first = launched_.front();
  int state = DDL_GPU_BUSY;
  check(functions_->query_event(gpu_, first.event, &state));
  if (state == DDL_GPU_BUSY) {
    if (stall_seconds > 0 && now() - first.last_report > stall_seconds) {
      first.last_report = now();
      std::fprintf(stderr, "ddl: rank %d has waited %.0f s for NCCL to reduce %s\n", topology_.rank,
                   first.last_report - first.since, first.batch.front().name.c_str());
    }
    return false;
  }
  *completed = std::move(first);
  launched_.pop_front();
  return true;
}

void Gpu::copy_to_host(Batch* batch) {
  if (!gpu_ || uses_nccl_) return;
  size_t bytes = 0;
  for (const Request& request : *batch) {
    for (const Request::Tensor& tensor : request.tensors) {
      if (request.on_gpu) bytes += (tensor.count * size_of(tensor.type) + kAlignment - 1) / kAlignment * kAlignment;
    }
  }
  if (bytes == 0) return;
  void* memory = nullptr;
  check(functions_->pinned_buffer(gpu_, bytes, &memory));
  char* at = static_cast<char*>(memory);
  for (Request& request : *batch) {
    if (!request.on_gpu) continue;
    check(functions_->wait_event(gpu_, request.event));
    for (Request::Tensor& tensor : request.tensors) {
      const size_t here = tensor.count * size_of(tensor.type);
      if (here == 0) continue;
      check(functions_->copy(gpu_, at, tensor.input, here));
      copies_.push_back({tensor.output, at, here});
      tensor.input = tensor.output = at;
      at += (here + kAlignment - 1) / kAlignment * kAlignment;
    }
  }
  check(functions_->finish(gpu_));
}

void Gpu::copy_to_gpu() {
  if (copies_.empty()) return;
  for (const Copy& copy : copies_) check(functions_->copy(gpu_, copy.output, copy.pinned, copy.bytes));
  check(functions_->finish(gpu_));
  copies_.clear();
}

void Gpu::disconnect() {
  if (uses_nccl_) functions_->disconnect(gpu_);
}

}  // namespace ddl

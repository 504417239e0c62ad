#include "gpu/gpu.h"

#include <dlfcn.h>

#include <cstdio>
#include <cstring>
#include <fstream>
#include <sstream>
#include <unordered_map>

#include "collectives/arithmetic.h"
#include "collectives/waiting.h"
#include "engine.h"

namespace ddl {
namespace {

const size_t kLine = 64;  // bytes: where copies in the host's memory begin

const char kLibrary[] = "libddl_nccl.so";

// From beside this library, by its own address: a sanitizer's dlopen knows nothing of our $ORIGIN.
void* open_beside() {
  Dl_info here;
  if (!dladdr(reinterpret_cast<const void*>(kLibrary), &here) || !here.dli_fname) return nullptr;
  const std::string path = here.dli_fname;
  return dlopen((path.substr(0, path.rfind('/') + 1) + kLibrary).c_str(), RTLD_NOW);
}

// From beside this library or where the system looks. Kept for good.
const ddl_gpu_functions* load(std::string* why) {
  static std::string said;
  static const ddl_gpu_functions* const functions = [](std::string* why) -> const ddl_gpu_functions* {
    void* library = open_beside();
    if (!library) library = dlopen(kLibrary, RTLD_NOW);
    void* entry = library ? dlsym(library, DDL_GPU_ENTRY) : nullptr;
    if (!entry) {
      *why = dlerror();
      return nullptr;
    }
    return reinterpret_cast<ddl_gpu_entry_type>(entry)();
  }(&said);
  *why = said;
  return functions;
}

// What tells this GPU from all others: two containers of one machine have names of their own, but one boot.
std::string identity(const std::string& address) {
  std::string boot;
  std::ifstream("/proc/sys/kernel/random/boot_id") >> boot;
  return boot + " " + address;
}

int most(int value, MPI_Comm comm) {
  int result = value;
  MPI_Allreduce(&value, &result, 1, MPI_INT, MPI_MAX, comm);
  return result;
}

}  // namespace

void Gpu::look_in(const char* folder) {
  std::string why;
  if (const ddl_gpu_functions* functions = load(&why)) functions->look_in(folder);
}

bool Gpu::seen() {
  std::string why;
  int gpus = 0;
  const ddl_gpu_functions* functions = load(&why);
  return functions && !functions->count(&gpus) && gpus > 0;
}

Gpu::Gpu(const Mode& mode, const Topology& topology, int local_rank) : topology_(topology) {
  functions_ = load(&why_none_);
  if (functions_) {
    if (const char* bad = functions_->open(local_rank, &gpu_)) why_none_ = bad;
  }
  const bool anyone = most(gpu_ != nullptr, topology_.world) != 0;
  if (!anyone && mode.nccl_named) remark_ = "-mode n: no rank has a GPU (" + why_none_ + "); as b";
  if (!anyone || !mode.nccl) return;
  std::string against = reasons_against(why_none_);
  if (against.empty()) against = connect();
  by_nccl_ = against.empty();
  if (!by_nccl_) remark_ = "no NCCL: GPUs' tensors go by way of the hosts' memory: " + against;
}

// Why not all ranks can use NCCL together, the same words on all of them; "" if they can.
std::string Gpu::reasons_against(const std::string& mine) const {
  struct Fact {
    char identity[64], why[256];
  };
  Fact fact = {};
  std::string why = mine;
  if (gpu_) {
    if (const char* bad = functions_->find_nccl(gpu_)) why = bad;
    std::snprintf(fact.identity, sizeof fact.identity, "%s", identity(functions_->address(gpu_)).c_str());
  }
  std::snprintf(fact.why, sizeof fact.why, "%s", why.c_str());
  std::vector<Fact> facts(static_cast<size_t>(topology_.size));
  MPI_Allgather(&fact, sizeof fact, MPI_BYTE, facts.data(), sizeof fact, MPI_BYTE, topology_.world);
  std::unordered_map<std::string, size_t> owners;
  std::string first;
  int more = -1;
  for (size_t rank = 0; rank < facts.size(); ++rank) {
    std::ostringstream words;
    if (facts[rank].why[0]) {
      words << "rank " << rank << ": " << facts[rank].why;
    } else {
      const auto owner = owners.insert({facts[rank].identity, rank});
      if (owner.second) continue;
      words << "ranks " << owner.first->second << " and " << rank << " have one GPU between them";
    }
    if (more++ < 0) first = words.str();
  }
  if (more > 0) first += " (and " + std::to_string(more) + " more)";
  return first;
}

// Rank 0's id to all over MPI; then NCCL connects them. Why it could not, the same on all ranks.
std::string Gpu::connect() {
  char id[DDL_NCCL_ID_BYTES] = {};
  std::string why;
  if (topology_.rank == 0) {
    if (const char* bad = functions_->make_id(gpu_, id)) why = bad;
  }
  MPI_Bcast(id, sizeof id, MPI_BYTE, 0, topology_.world);
  if (most(!why.empty(), topology_.world)) return reasons_against(why);
  if (const char* bad = functions_->connect(gpu_, id, topology_.rank, topology_.size)) why = bad;
  // In step, so that one that cannot does not leave the others waiting for it.
  const double begin = now();
  bool told = false;
  for (;;) {
    int state = DDL_GPU_FAILED;
    if (why.empty()) {
      if (const char* bad = functions_->check(gpu_, &state)) why = bad;
    }
    state = most(state, topology_.world);
    if (state == DDL_GPU_READY) return "";
    if (state == DDL_GPU_FAILED) break;
    if (!told && topology_.rank == 0 && now() - begin > 30) {
      told = true;
      std::fprintf(stderr, "ddl: NCCL has been connecting the ranks for 30 s; NCCL_DEBUG=INFO tells what it does\n");
    }
    const timespec moment = {0, 1000 * 1000};
    nanosleep(&moment, nullptr);
  }
  functions_->disconnect(gpu_);
  return reasons_against(why);
}

bool Gpu::prepare(void* stream, Request* request, std::string* error) {
  if (!gpu_) {
    *error = request->name + ": a tensor on a GPU, and this rank has none: " + why_none_;
    return false;
  }
  const void* tensor = nullptr;
  for (const Request::Tensor& each : request->tensors) {
    if (each.count > 0) tensor = each.input;
  }
  if (const char* bad = functions_->record(gpu_, stream, tensor, &request->event)) {
    *error = request->name + ": " + bad;
    return false;
  }
  request->on_gpu = true;
  // Ranks that are to meet in NCCL must all be there; by way of the hosts' memory any meets any.
  if (by_nccl_) request->signature = on_gpu(request->signature);
  return true;
}

void Gpu::check(const char* words) const {
  if (!words) return;
  const std::string said = words;
  functions_->disconnect(gpu_);
  ddl_abort(said.c_str(), 1);
}

void Gpu::launch(Batch&& batch, double waited) {
  std::vector<ddl_gpu_piece> pieces;
  for (const Request& request : batch) {
    check(functions_->follow(gpu_, request.event));
    for (const Request::Tensor& tensor : request.tensors) {
      if (tensor.count == 0) continue;
      pieces.push_back({tensor.input, tensor.output, tensor.count, request.kind, request.how, tensor.type});
    }
  }
  void* event = nullptr;
  check(functions_->collect(gpu_, pieces.data(), pieces.size(), &event));
  const double since = now();
  launched_.push_back({std::move(batch), event, since, waited, since});
}

bool Gpu::land(double stall_seconds, Launched* landed) {
  if (launched_.empty()) return false;
  Launched& first = launched_.front();
  int state = DDL_GPU_BUSY;
  check(functions_->passed(gpu_, first.event, &state));
  if (state == DDL_GPU_BUSY) {
    if (stall_seconds > 0 && now() - first.told > stall_seconds) {
      first.told = now();
      std::fprintf(stderr, "ddl: rank %d has waited %.0f s for NCCL to reduce %s\n", topology_.rank,
                   first.told - first.since, first.batch.front().name.c_str());
    }
    return false;
  }
  *landed = std::move(first);
  launched_.pop_front();
  return true;
}

void Gpu::fetch(Batch* batch) {
  if (!gpu_ || by_nccl_) return;
  size_t bytes = 0;
  for (const Request& request : *batch) {
    for (const Request::Tensor& tensor : request.tensors) {
      if (request.on_gpu) bytes += (tensor.count * size_of(tensor.type) + kLine - 1) / kLine * kLine;
    }
  }
  if (bytes == 0) return;
  void* memory = nullptr;
  check(functions_->host_memory(gpu_, bytes, &memory));
  char* at = static_cast<char*>(memory);
  for (Request& request : *batch) {
    if (!request.on_gpu) continue;
    check(functions_->follow(gpu_, request.event));
    for (Request::Tensor& tensor : request.tensors) {
      const size_t here = tensor.count * size_of(tensor.type);
      if (here == 0) continue;
      check(functions_->copy(gpu_, at, tensor.input, here));
      copies_.push_back({tensor.output, at, here});
      tensor.input = tensor.output = at;
      at += (here + kLine - 1) / kLine * kLine;
    }
  }
  check(functions_->finish(gpu_));
}

void Gpu::put_back() {
  if (copies_.empty()) return;
  for (const Copy& copy : copies_) check(functions_->copy(gpu_, copy.output, copy.host, copy.bytes));
  check(functions_->finish(gpu_));
  copies_.clear();
}

void Gpu::disconnect() {
  if (by_nccl_) functions_->disconnect(gpu_);
}

}  // namespace ddl

// Collectives of tensors in GPU memory: with NCCL if every rank can use it, staged through host memory otherwise.
#ifndef DDL_GPU_GPU_H
#define DDL_GPU_GPU_H

#include <deque>
#include <string>
#include <vector>

#include "engine/mode.h"
#include "engine/request.h"
#include "engine/topology.h"
#include "gpu/functions.h"

namespace ddl {

class Gpu {
 public:
  typedef std::vector<Request> Batch;

  // Must be called first: a directory of Python packages to search for NVIDIA's wheels.
  static void add_search_path(const char* folder);
  // Whether this process can have tensors on a GPU: libddl_nccl.so and CUDA are installed, and CUDA sees a GPU.
  static bool seen();

  // Collective, in the engine's thread; the ranks agree here on NCCL or host memory.
  Gpu(const Mode& mode, const Topology& topology, int local_rank);

  bool uses_nccl() const { return uses_nccl_; }
  // "nccl", "host", or "" if this rank has no GPU.
  const char* algorithm() const { return !gpu_ ? "" : uses_nccl_ ? "nccl" : "host"; }
  const std::string& warning() const { return warning_; }

  // From any thread: the request's tensors are on the GPU, and ready at this point of `stream`.
  bool prepare(void* stream, Request* request, std::string* error);

  // The rest is for the engine's thread only. All but the last abort the job if CUDA or NCCL fails, as no rank could
  // continue. Enqueues in NCCL a batch whose tensors are on GPUs on all ranks.
  void launch(Batch&& batch, double waited);
  bool in_flight() const { return !launched_.empty(); }
  // Takes the oldest batch that NCCL has completed. Returns whether there was one.
  struct Launched {
    Batch batch;
    void* event;
    double since, waited, last_report;
  };
  bool complete_next(double stall_seconds, Launched* completed);
  // Without NCCL: stages the batch's GPU tensors in host memory.
  void copy_to_host(Batch* batch);
  void copy_to_gpu();
  // Shuts down NCCL, when nothing is in flight any more. Everything else is freed with the process.
  void disconnect();

 private:
  std::string unavailable_reason(const std::string& mine) const;
  std::string connect();
  void check(const char* message) const;

  const Topology topology_;
  const ddl_gpu_functions* functions_ = nullptr;
  ddl_gpu* gpu_ = nullptr;
  bool uses_nccl_ = false;
  std::string warning_, no_gpu_reason_;
  std::deque<Launched> launched_;
  struct Copy {
    void* output;
    const void* pinned;
    size_t bytes;
  };
  std::vector<Copy> copies_;
};

}  // namespace ddl

#endif

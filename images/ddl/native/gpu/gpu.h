// Collectives of tensors in GPUs' memory: by NCCL where every rank can, by way of the hosts' memory where not.
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

  // First of all: a folder of Python packages where NVIDIA's wheels may be.
  static void look_in(const char* folder);
  // Whether tensors of this process can be on a GPU at all: libddl_nccl.so and CUDA are there, and it sees one.
  static bool seen();

  // Every rank makes one at the same time, in the engine's thread; here they agree on NCCL or on the hosts' memory.
  Gpu(const Mode& mode, const Topology& topology, int local_rank);

  bool by_nccl() const { return by_nccl_; }
  // "nccl", "host", or "" where this rank has no GPU.
  const char* algorithm() const { return !gpu_ ? "" : by_nccl_ ? "nccl" : "host"; }
  const std::string& remark() const { return remark_; }

  // From any thread: the request's tensors are on the GPU, and have their values when `stream` comes to this point.
  bool prepare(void* stream, Request* request, std::string* error);

  // What follows is the engine's thread's. All but the last end the job where CUDA or NCCL fail: no rank could go on.
  // Gives NCCL a batch whose tensors all ranks have on GPUs.
  void launch(Batch&& batch, double waited);
  bool under_way() const { return !launched_.empty(); }
  // A batch that NCCL is done with, the first first. Whether there was one.
  struct Launched {
    Batch batch;
    void* event;
    double since, waited, told;
  };
  bool land(double stall_seconds, Launched* landed);
  // Without NCCL: what of the batch is on the GPU lies in the host's memory in between.
  void fetch(Batch* batch);
  void put_back();
  // The end of NCCL, when nothing is under way any more. The rest goes with the process.
  void disconnect();

 private:
  std::string reasons_against(const std::string& mine) const;
  std::string connect();
  void check(const char* words) const;

  const Topology topology_;
  const ddl_gpu_functions* functions_ = nullptr;
  ddl_gpu* gpu_ = nullptr;
  bool by_nccl_ = false;
  std::string remark_, why_none_;
  std::deque<Launched> launched_;
  struct Copy {
    void* output;
    const void* host;
    size_t bytes;
  };
  std::vector<Copy> copies_;
};

}  // namespace ddl

#endif

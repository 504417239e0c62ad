// Reduction between the ranks of one host, in shared memory.
//
// Tensors are processed in chunks that stay in the cache. Each rank owns an equal share of each chunk. It copies the
// other ranks' shares of its own values into its slot; reduces its own share from its tensors and the peers' slots
// directly into its output and into the unused part of its slot; and copies the peers' results from their slots. So
// nothing is copied that no peer reads. With several slots per rank the next chunk can be copied while peers still work
// on the previous one: progress counters are used instead of barriers.
#ifndef DDL_COLLECTIVES_SHARED_MEMORY_H
#define DDL_COLLECTIVES_SHARED_MEMORY_H

#include <mpi.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "collectives/spans.h"

namespace ddl {

class SharedMemory {
 public:
  // Reduces `n` elements at `data`, this rank's share, with the other hosts' ranks; empty on a single host.
  typedef std::function<void(char* data, size_t n)> InterHost;
  // Called when this rank has waited `seconds` for `peer` within a reduction.
  typedef std::function<void(double seconds, int peer)> Stalled;

  // Collective over the ranks of `host`. Null, on all of them, if the system does not have enough shared memory.
  static std::unique_ptr<SharedMemory> open(MPI_Comm host);
  ~SharedMemory();
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;

  // Collective over the ranks of the host, with tensors of the same types and shapes. `scale` multiplies the host's
  // result.
  void allreduce(const Spans& spans, int type, int reduction, double scale, const InterHost& inter_host);
  // Copies the outputs of `root` (a local rank) to the outputs of all.
  void broadcast(const Spans& spans, int root);

  double stall_seconds = 0;  // 0: never reported
  Stalled stalled;

 private:
  struct alignas(128) Progress {  // two cache lines: processors prefetch them in pairs
    std::atomic<uint64_t> copied, reduced, finished;
  };
  struct Work;

  SharedMemory() {}
  Progress& progress(int peer) const { return reinterpret_cast<Progress*>(memory_)[peer]; }
  char* slot(int peer, uint64_t chunk) const;
  void wait_for_all(std::atomic<uint64_t> Progress::*step, uint64_t count);
  void wait_for(int peer, std::atomic<uint64_t> Progress::*step, uint64_t count);
  void copy_in(const Work& work, size_t chunk);
  void reduce(const Work& work, size_t chunk);
  void copy_out(const Work& work, size_t chunk);

  char* memory_ = nullptr;
  size_t bytes_ = 0, slot_bytes_ = 0;
  int local_rank_ = 0, local_size_ = 1;
  bool oversubscribed_ = false;
  uint64_t chunks_done_ = 0;  // the same on all ranks of the host
};

}  // namespace ddl

#endif

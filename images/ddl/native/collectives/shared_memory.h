// Reducing between the ranks of one host, in memory that all of them have mapped.
//
// The tensors' elements go through in pieces that stay in the cache. Each rank owns an equal share of each piece. It copies the
// others' shares of its own values into its slot; reduces its own share out of its tensors and the peers' slots straight
// into its output and, in its slot, into the place where its own share would have been; and copies the peers' results from there. So
// nothing is copied that a peer does not read. Several slots per rank let the next piece go in while peers are still at
// the one before: steps are counted, and no one waits for everybody at a barrier.
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
  typedef std::function<void(char* data, size_t n)> Between;
  // Called with the number of seconds that this rank has waited for `member` within a reduction.
  typedef std::function<void(double seconds, int member)> Stalled;

  // The ranks of `host` make it together. Null, on all of them, where the system has not the room.
  static std::unique_ptr<SharedMemory> open(MPI_Comm host);
  ~SharedMemory();
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;

  // Every rank of the host calls it with tensors of the same types and shapes. `scale` multiplies the host's result.
  void allreduce(const Spans& spans, int type, int reduction, double scale, const Between& between);
  // What the outputs of `root`, one of the host's members, hold to the outputs of all.
  void broadcast(const Spans& spans, int root);

  double stall_seconds = 0;  // 0: never told
  Stalled stalled;

 private:
  struct alignas(128) Progress {  // two cache lines: processors fetch them in pairs
    std::atomic<uint64_t> copied, reduced, finished;
  };
  struct Work;

  SharedMemory() {}
  Progress& progress(int member) const { return reinterpret_cast<Progress*>(memory_)[member]; }
  char* slot(int member, uint64_t piece) const;
  void await(std::atomic<uint64_t> Progress::*step, uint64_t count);
  void await_member(int member, std::atomic<uint64_t> Progress::*step, uint64_t count);
  void copy_in(const Work& work, size_t piece);
  void reduce(const Work& work, size_t piece);
  void copy_out(const Work& work, size_t piece);

  char* memory_ = nullptr;
  size_t bytes_ = 0, slot_bytes_ = 0;
  int member_ = 0, members_ = 1;
  bool crowded_ = false;
  uint64_t done_ = 0;  // pieces so far, the same on all ranks of the host
};

}  // namespace ddl

#endif

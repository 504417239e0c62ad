// The allreduce and broadcast algorithms over all ranks, and which one is used for which size.
#ifndef DDL_COLLECTIVES_ALGORITHMS_H
#define DDL_COLLECTIVES_ALGORITHMS_H

#include <memory>
#include <string>
#include <vector>

#include "collectives/shared_memory.h"
#include "collectives/spans.h"
#include "collectives/mpi_collectives.h"
#include "engine/mode.h"
#include "engine/topology.h"

namespace ddl {

class Algorithms {
 public:
  // Collective; with -mode p all ranks measure here which algorithm is fastest.
  Algorithms(const Mode& mode, const Topology& topology, SharedMemory::Stalled stalled);

  void allreduce(const Spans& spans, int type, int reduction);
  // The values of rank `root` to all ranks, bit for bit.
  void broadcast(const Spans& spans, int root);

  // The algorithm for this size: "hierarchical", "ring", "doubling" or "mpi".
  const char* name(size_t bytes) const;
  const std::string& warning() const { return warning_; }
  void set_stall_seconds(double seconds);

 private:
  enum Algorithm { kHierarchical, kRing, kDoubling, kMpi };
  struct Choice {
    size_t up_to;  // bytes
    Algorithm algorithm;
  };

  Algorithm select(size_t bytes) const;
  void run(Algorithm algorithm, const Spans& spans, int type, int reduction);
  void hierarchical(const Spans& spans, int type, int reduction, double scale);
  void fused(Algorithm algorithm, const Spans& spans, int type, int reduction, double scale);
  void mpi_unfused(const Spans& spans, int type, int reduction, double scale);
  void inter_host(char* data, size_t n, int type, int reduction);
  void mpi_broadcast(const Spans& spans, int root, MPI_Comm comm);
  void gather_coordinates();
  void explore();
  bool measure(Algorithm algorithm, size_t bytes, double until, double* best);

  const Mode mode_;
  const Topology topology_;
  MpiCollectives mpi_;
  std::unique_ptr<SharedMemory> shared_;
  std::vector<Choice> choices_;
  std::vector<std::vector<int>> coordinates_;  // of each rank: local rank, then position in each of `inter_host`
  Buffer fusion_buffer_, narrow_;
  std::string warning_;
};

}  // namespace ddl

#endif

// The ways to reduce a row of tensors over all ranks, and which of them is taken for how many bytes.
#ifndef DDL_COLLECTIVES_ALGORITHMS_H
#define DDL_COLLECTIVES_ALGORITHMS_H

#include <memory>
#include <string>
#include <vector>

#include "collectives/shared_memory.h"
#include "collectives/spans.h"
#include "collectives/wire.h"
#include "engine/mode.h"
#include "engine/topology.h"

namespace ddl {

class Algorithms {
 public:
  // Every rank makes one at the same time; with -mode p all of them measure now what is fastest here.
  Algorithms(const Mode& mode, const Topology& topology, SharedMemory::Stalled stalled);

  void allreduce(const Spans& spans, int type, int reduction);
  // The values of rank `root` to all, bit for bit.
  void broadcast(const Spans& spans, int root);

  // "hierarchical", "ring", "doubling" or "mpi": what is taken for so many bytes.
  const char* name(size_t bytes) const;
  const std::string& remark() const { return remark_; }
  void set_stall_seconds(double seconds);

 private:
  enum Way { kHierarchical, kRing, kDoubling, kMpi };
  struct Choice {
    size_t up_to;  // bytes
    Way way;
  };

  Way way(size_t bytes) const;
  void run(Way way, const Spans& spans, int type, int reduction);
  void hierarchical(const Spans& spans, int type, int reduction, double scale);
  void staged(Way way, const Spans& spans, int type, int reduction, double scale);
  void mpi_whole(const Spans& spans, int type, int reduction, double scale);
  void between(char* data, size_t n, int type, int reduction);
  void send(const Spans& spans, int root, MPI_Comm comm);
  void find_places();
  void explore();
  bool measure(Way way, size_t bytes, double until, double* best);

  const Mode mode_;
  const Topology topology_;
  Wire wire_;
  std::unique_ptr<SharedMemory> shared_;
  std::vector<Choice> choices_;
  std::vector<std::vector<int>> places_;  // of each rank: within its host, then in each of `between`
  Buffer staging_, narrow_;
  std::string remark_;
};

}  // namespace ddl

#endif

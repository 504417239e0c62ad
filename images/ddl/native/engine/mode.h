// DDL_OPTIONS: how ranks communicate.
#ifndef DDL_ENGINE_MODE_H
#define DDL_ENGINE_MODE_H

#include <string>
#include <vector>

namespace ddl {

struct Mode {
  char algorithm = 'p';               // b hierarchical, r ring, m MPI, p explore and pick
  bool nccl = true;                   // use NCCL for tensors on GPUs if all ranks can; set by p and n
  bool nccl_requested = false;        // n was given: warn if NCCL is not available
  std::vector<int> dimensions;        // ranks per host, hosts, racks, …; empty: detect
  int wire = -1;                      // DDL_FLOAT16 or DDL_BFLOAT16 for fp32 between hosts; -1: no conversion
  double stall_seconds = 60;          // 0: never
  double explore_seconds = 3;         // time limit of p's measurements at start
  std::vector<std::string> warnings;  // ignored or overridden options, for rank 0's stderr
};

// Parses `options` for `size` ranks. `error` is "" on success.
Mode read_mode(const std::string& options, int size, std::string* error);

}  // namespace ddl

#endif

// DDL_OPTIONS: how ranks are to talk to each other.
#ifndef DDL_ENGINE_MODE_H
#define DDL_ENGINE_MODE_H

#include <string>
#include <vector>

namespace ddl {

struct Mode {
  char algorithm = 'p';             // b hierarchical, r ring, m MPI, p explore and pick
  bool nccl = true;                 // for tensors on GPUs, where all ranks can: what p and n say, and others not
  bool nccl_named = false;          // n was said: a word is due where it cannot be had
  std::vector<int> dimensions;      // ranks per host, hosts, racks, …; empty: as the hosts are
  int wire = -1;                    // DDL_FLOAT16 or DDL_BFLOAT16 between hosts for fp32; -1: as it is
  double stall_seconds = 60;        // 0: never
  double explore_seconds = 3;       // what p may take at start
  std::vector<std::string> remarks; // what was not understood or is done otherwise, for rank 0's stderr
};

// Reads `options` for `size` ranks. What cannot be is said in `error`, which is "" otherwise.
Mode read_mode(const std::string& options, int size, std::string* error);

}  // namespace ddl

#endif

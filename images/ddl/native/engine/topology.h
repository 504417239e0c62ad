// The layout of ranks: local ranks, hosts, and the communicators between hosts.
#ifndef DDL_ENGINE_TOPOLOGY_H
#define DDL_ENGINE_TOPOLOGY_H

#include <mpi.h>

#include <string>
#include <vector>

#include "engine/mode.h"

namespace ddl {

struct Topology {
  int rank = 0, size = 1;
  int local_size = 1, hosts = 1;     // as MPI detects them, independent of the mode
  MPI_Comm control = MPI_COMM_NULL;  // negotiation messages
  MPI_Comm world = MPI_COMM_NULL;    // tensors, all ranks
  MPI_Comm host = MPI_COMM_NULL;     // ranks that reduce in shared memory; null: no hierarchy possible
  // Ranks with the same local rank: across the hosts of a rack, across racks, across aisles. Dimensions of size 1 are
  // omitted.
  std::vector<MPI_Comm> inter_host;
};

// Initialises MPI if needed, and determines the topology. Collective. `initialized_here` tells whether MPI was
// initialised by this call; errors are reported in `error`, on every rank.
Topology discover_topology(const std::string& options, Mode* mode, bool* initialized_here, std::string* error);

// Frees the communicators.
void free_topology(Topology* topology);

}  // namespace ddl

#endif

// Who is where: the ranks, those of this host, and the lines between hosts.
#ifndef DDL_ENGINE_TOPOLOGY_H
#define DDL_ENGINE_TOPOLOGY_H

#include <mpi.h>

#include <string>
#include <vector>

#include "engine/mode.h"

namespace ddl {

struct Topology {
  int rank = 0, size = 1;
  int local_size = 1, hosts = 1;   // as MPI sees them, whatever the mode says
  MPI_Comm control = MPI_COMM_NULL; // messages of the agreement
  MPI_Comm world = MPI_COMM_NULL;   // tensors, all ranks
  MPI_Comm host = MPI_COMM_NULL;    // ranks that reduce in shared memory; null: no hierarchy is to be had
  // The ranks with this rank's place in their hosts: over the hosts of a rack, over racks, over aisles. A dimension of one is left out.
  std::vector<MPI_Comm> between;
};

// Initialises MPI unless it is, and finds out. Every rank calls it. `began` tells whether MPI was initialised here;
// what is wrong is put into `error`, on every rank.
Topology find_topology(const std::string& options, Mode* mode, bool* began, std::string* error);

// Frees the communicators.
void leave_topology(Topology* topology);

}  // namespace ddl

#endif

#include "engine/topology.h"

#include <dlfcn.h>

namespace ddl {
namespace {

int min_over_ranks(int value, MPI_Comm comm) {
  int least = value;
  MPI_Allreduce(&value, &least, 1, MPI_INT, MPI_MIN, comm);
  return least;
}

bool true_on_all(bool here, MPI_Comm comm) { return min_over_ranks(here ? 1 : 0, comm) == 1; }

bool same_on_all(int value, MPI_Comm comm) { return min_over_ranks(value, comm) == -min_over_ranks(-value, comm); }

MPI_Comm split(MPI_Comm comm, int color, int key) {
  MPI_Comm part;
  MPI_Comm_split(comm, color, key, &part);
  return part;
}

// Open MPI before 3 loads its components with dlopen and expects its own symbols to be global, which they are not if
// Python loaded this library.
void make_mpi_symbols_global() {
  Dl_info found;
  if (dladdr(reinterpret_cast<void*>(&MPI_Init_thread), &found) && found.dli_fname) {
    dlopen(found.dli_fname, RTLD_NOW | RTLD_GLOBAL | RTLD_NOLOAD);
  }
}

bool initialize_mpi(bool* initialized_here, std::string* error) {
  int initialised = 0, finalised = 0, level = MPI_THREAD_MULTIPLE;
  MPI_Finalized(&finalised);
  if (finalised) {
    *error = "MPI was finalised before ddl was initialised";
    return false;
  }
  MPI_Initialized(&initialised);
  *initialized_here = !initialised;
  if (initialised) {
    MPI_Query_thread(&level);
  } else {
    make_mpi_symbols_global();
    MPI_Init_thread(nullptr, nullptr, MPI_THREAD_MULTIPLE, &level);
  }
  // Every rank finds the same, as MPI is the same build everywhere, so returning here leaves no rank waiting.
  if (level < MPI_THREAD_SERIALIZED && !*initialized_here) {
    *error = "MPI was initialised without threads; ddl needs MPI_THREAD_MULTIPLE (mpi4py's default) or ddl.init first";
    return false;
  }
  return true;
}

// Communicators from the dimensions given in the mode: `dimensions[0]` consecutive ranks form a host. False if they are
// not on one machine.
bool use_dimensions(const std::vector<int>& dimensions, MPI_Comm machine, Topology* topology) {
  const int per_host = dimensions[0];
  int first_rank = topology->rank;
  MPI_Bcast(&first_rank, 1, MPI_INT, 0, machine);
  MPI_Comm host = split(topology->world, topology->rank / per_host, topology->rank);
  if (!true_on_all(same_on_all(first_rank, host), topology->world)) {
    MPI_Comm_free(&host);
    return false;
  }
  topology->host = host;
  int below = per_host;  // ranks per unit of the dimension
  for (size_t level = 1; level < dimensions.size(); ++level) {
    const int here = dimensions[level];
    if (here > 1) {
      // Same position within the unit, same larger unit: the rank number with this dimension's digit removed.
      const int color = topology->rank % below + below * (topology->rank / (below * here));
      topology->inter_host.push_back(split(topology->world, color, topology->rank));
    }
    below *= here;
  }
  return true;
}

// Communicators from the actual machines: the ranks of each, and those with the same local rank. Only if all machines
// have the same number of ranks.
void use_machines(MPI_Comm machine, Topology* topology) {
  if (!same_on_all(topology->local_size, topology->world)) return;
  int place = 0;
  MPI_Comm_rank(machine, &place);
  MPI_Comm_dup(machine, &topology->host);
  if (topology->hosts > 1) topology->inter_host.push_back(split(topology->world, place, topology->rank));
}

}  // namespace

Topology discover_topology(const std::string& options, Mode* mode, bool* initialized_here, std::string* error) {
  Topology topology;
  if (!initialize_mpi(initialized_here, error)) return topology;
  MPI_Comm_rank(MPI_COMM_WORLD, &topology.rank);
  MPI_Comm_size(MPI_COMM_WORLD, &topology.size);
  *mode = read_mode(options, topology.size, error);
  // A rank with different options must not leave the others waiting.
  if (!true_on_all(error->empty(), MPI_COMM_WORLD)) {
    if (error->empty()) *error = "another rank could not use its options";
    return topology;
  }
  if (!same_on_all(mode->algorithm * 2 + mode->nccl, MPI_COMM_WORLD) || !same_on_all(mode->wire, MPI_COMM_WORLD)) {
    *error = "ranks were given different options";
    return topology;
  }
  MPI_Comm_dup(MPI_COMM_WORLD, &topology.control);
  MPI_Comm_dup(MPI_COMM_WORLD, &topology.world);
  MPI_Comm machine;
  MPI_Comm_split_type(topology.world, MPI_COMM_TYPE_SHARED, topology.rank, MPI_INFO_NULL, &machine);
  int place = 0;
  MPI_Comm_rank(machine, &place);
  MPI_Comm_size(machine, &topology.local_size);
  const int first = place == 0 ? 1 : 0;
  MPI_Allreduce(&first, &topology.hosts, 1, MPI_INT, MPI_SUM, topology.world);
  // "Explore" uses the actual topology rather than the given one: runs on one machine are given one rank per host, too.
  const bool explicit_dimensions = mode->algorithm != 'p' && !mode->dimensions.empty();
  if (!explicit_dimensions || !use_dimensions(mode->dimensions, machine, &topology)) {
    if (explicit_dimensions) {
      mode->warnings.push_back("-mode: the ranks of a host are not on one machine; using the actual topology");
    }
    use_machines(machine, &topology);
  }
  MPI_Comm_free(&machine);
  return topology;
}

void free_topology(Topology* topology) {
  for (MPI_Comm& comm : topology->inter_host) MPI_Comm_free(&comm);
  for (MPI_Comm* comm : {&topology->host, &topology->world, &topology->control}) {
    if (*comm != MPI_COMM_NULL) MPI_Comm_free(comm);
  }
  topology->inter_host.clear();
}

}  // namespace ddl

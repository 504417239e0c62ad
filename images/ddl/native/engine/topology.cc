#include "engine/topology.h"

#include <dlfcn.h>

namespace ddl {
namespace {

int smallest(int value, MPI_Comm comm) {
  int least = value;
  MPI_Allreduce(&value, &least, 1, MPI_INT, MPI_MIN, comm);
  return least;
}

bool everywhere(bool here, MPI_Comm comm) { return smallest(here ? 1 : 0, comm) == 1; }

bool alike(int value, MPI_Comm comm) { return smallest(value, comm) == -smallest(-value, comm); }

MPI_Comm split(MPI_Comm comm, int color, int key) {
  MPI_Comm part;
  MPI_Comm_split(comm, color, key, &part);
  return part;
}

// Open MPI before 3 loads its parts with dlopen and expects to find itself among the global names, where it is not
// if this library was loaded by Python.
void make_mpi_global() {
  Dl_info found;
  if (dladdr(reinterpret_cast<void*>(&MPI_Init_thread), &found) && found.dli_fname) {
    dlopen(found.dli_fname, RTLD_NOW | RTLD_GLOBAL | RTLD_NOLOAD);
  }
}

bool begin_mpi(bool* began, std::string* error) {
  int initialised = 0, finalised = 0, level = MPI_THREAD_MULTIPLE;
  MPI_Finalized(&finalised);
  if (finalised) {
    *error = "MPI was finalised before ddl began";
    return false;
  }
  MPI_Initialized(&initialised);
  *began = !initialised;
  if (initialised) {
    MPI_Query_thread(&level);
  } else {
    make_mpi_global();
    MPI_Init_thread(nullptr, nullptr, MPI_THREAD_MULTIPLE, &level);
  }
  // Told by every rank, so a rank may return: MPI is the same build everywhere.
  if (level < MPI_THREAD_SERIALIZED && !*began) {
    *error = "MPI was initialised without threads; ddl needs MPI_THREAD_MULTIPLE (mpi4py's default) or ddl.init first";
    return false;
  }
  return true;
}

// The groups that the mode names: `dimensions[0]` ranks in a row are a host. False if they are not on one.
bool take_dimensions(const std::vector<int>& dimensions, MPI_Comm machine, Topology* topology) {
  const int per_host = dimensions[0];
  int machine_id = topology->rank;
  MPI_Bcast(&machine_id, 1, MPI_INT, 0, machine);
  MPI_Comm host = split(topology->world, topology->rank / per_host, topology->rank);
  if (!everywhere(alike(machine_id, host), topology->world)) {
    MPI_Comm_free(&host);
    return false;
  }
  topology->host = host;
  int below = per_host;  // ranks in one unit of the dimension
  for (size_t level = 1; level < dimensions.size(); ++level) {
    const int here = dimensions[level];
    if (here > 1) {
      // Same unit-internal place, same larger unit: the numbers that remain when this dimension's digit is taken out.
      const int color = topology->rank % below + below * (topology->rank / (below * here));
      topology->between.push_back(split(topology->world, color, topology->rank));
    }
    below *= here;
  }
  return true;
}

// The groups that are: the ranks of each machine, and those with the same number on it. Only for machines alike.
void take_machines(MPI_Comm machine, Topology* topology) {
  if (!alike(topology->local_size, topology->world)) return;
  int place = 0;
  MPI_Comm_rank(machine, &place);
  MPI_Comm_dup(machine, &topology->host);
  if (topology->hosts > 1) topology->between.push_back(split(topology->world, place, topology->rank));
}

}  // namespace

Topology find_topology(const std::string& options, Mode* mode, bool* began, std::string* error) {
  Topology topology;
  if (!begin_mpi(began, error)) return topology;
  MPI_Comm_rank(MPI_COMM_WORLD, &topology.rank);
  MPI_Comm_size(MPI_COMM_WORLD, &topology.size);
  *mode = read_mode(options, topology.size, error);
  // One rank with other options than the rest must not leave the rest waiting.
  if (!everywhere(error->empty(), MPI_COMM_WORLD)) {
    if (error->empty()) *error = "another rank could not use its options";
    return topology;
  }
  if (!alike(mode->algorithm * 2 + mode->nccl, MPI_COMM_WORLD) || !alike(mode->wire, MPI_COMM_WORLD)) {
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
  // "Explore" goes by what is, not by what was said: a run on one machine is told one rank per host, too.
  const bool by_word = mode->algorithm != 'p' && !mode->dimensions.empty();
  if (!by_word || !take_dimensions(mode->dimensions, machine, &topology)) {
    if (by_word) mode->remarks.push_back("-mode: the ranks of a host are not on one machine; taken as they are");
    take_machines(machine, &topology);
  }
  MPI_Comm_free(&machine);
  return topology;
}

void leave_topology(Topology* topology) {
  for (MPI_Comm& comm : topology->between) MPI_Comm_free(&comm);
  for (MPI_Comm* comm : {&topology->host, &topology->world, &topology->control}) {
    if (*comm != MPI_COMM_NULL) MPI_Comm_free(comm);
  }
  topology->between.clear();
}

}  // namespace ddl

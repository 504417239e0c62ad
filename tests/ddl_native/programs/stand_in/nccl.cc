// A STAND-IN for NCCL, over the stand-in for CUDA's runtime: ranks reduce by MPI's collectives that do not block. As NCCL without
// blocking, it is busy for a while after a communicator was asked for or a group given, and a stream has the group only then.
//
//     STAND_IN_NCCL_FAILS   `connect RANK`: that rank cannot make a communicator; `reduce RANK`: its third group fails
//     STAND_IN_NCCL_LATE    `RANK SECONDS`: that rank's GPU begins its first reduction so much later
#include <mpi.h>
#include <nccl.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "cudart.h"

namespace {

struct Given {
  cudaStream_t stream;
  stand_in::Work work;
};

struct Reduction {
  std::vector<char> given, made;
  MPI_Request request = MPI_REQUEST_NULL;
  bool begun = false;
};

bool fails(const char* where, int rank) {
  const char* said = std::getenv("STAND_IN_NCCL_FAILS");
  return said && said == std::string(where) + " " + std::to_string(rank);
}

// Whether the moment at which this rank's GPU reduces is still to come; counted from when that is first asked.
bool still_late(int rank) {
  typedef std::chrono::steady_clock Clock;
  static const Clock::time_point since = Clock::now();
  const char* said = std::getenv("STAND_IN_NCCL_LATE");
  int late = -1;
  double seconds = 0;
  return said && std::sscanf(said, "%d %lf", &late, &seconds) == 2 && late == rank &&
         Clock::now() - since < std::chrono::duration<double>(seconds);
}

struct Kind {
  MPI_Datatype type;
  size_t bytes;
};

Kind kind_of(ncclDataType_t type) {
  switch (type) {
    case ncclFloat32:
      return {MPI_FLOAT, 4};
    case ncclFloat64:
      return {MPI_DOUBLE, 8};
    case ncclInt32:
      return {MPI_INT32_T, 4};
    case ncclInt64:
      return {MPI_INT64_T, 8};
    default:
      return {MPI_BYTE, type == ncclFloat16 || type == 9 ? 2u : 1u};  // for broadcasts
  }
}

template <class T>
void divide(std::vector<char>* values, int by) {
  T* at = reinterpret_cast<T*>(values->data());
  for (size_t index = 0; index < values->size() / sizeof(T); ++index) at[index] /= static_cast<T>(by);
}

thread_local int depth = 0;
thread_local ncclComm_t grouped = nullptr;

}  // namespace

struct ncclComm {
  MPI_Comm ranks;
  int rank, size;
  ncclUniqueId id;
  int connecting = 3, busy = 0, groups = 0;  // how often it is to be asked still
  std::vector<Given> issued;
};

namespace {

ncclResult_t give(ncclComm_t comm, cudaStream_t stream, stand_in::Work work) {
  if (depth == 0) return ncclInvalidUsage;  // ddl gives groups
  grouped = comm;
  comm->issued.push_back({stream, work});
  return ncclSuccess;
}

// That all have rank 0's id is what makes them one communicator.
ncclResult_t meet(ncclComm_t comm) {
  char least[sizeof comm->id], most[sizeof comm->id];
  MPI_Comm_dup(MPI_COMM_WORLD, &comm->ranks);
  MPI_Allreduce(&comm->id, least, sizeof comm->id, MPI_BYTE, MPI_BAND, comm->ranks);
  MPI_Allreduce(&comm->id, most, sizeof comm->id, MPI_BYTE, MPI_BOR, comm->ranks);
  return std::memcmp(least, most, sizeof comm->id) ? ncclInvalidArgument : ncclSuccess;
}

}  // namespace

extern "C" {

const char* ncclGetErrorString(ncclResult_t) { return "an error (a stand-in's)"; }
const char* ncclGetLastError(ncclComm_t) { return ""; }

ncclResult_t ncclGetUniqueId(ncclUniqueId* id) {
  std::FILE* file = std::fopen("/dev/urandom", "rb");
  const bool good = file && std::fread(id, sizeof *id, 1, file) == 1;
  if (file) std::fclose(file);
  return good ? ncclSuccess : ncclSystemError;
}

ncclResult_t ncclCommInitRankConfig(ncclComm_t* comm, int size, ncclUniqueId id, int rank, ncclConfig_t* config) {
  *comm = new ncclComm();
  if (fails("connect", rank)) return ncclSystemError;
  if (config->blocking != 0) return ncclInvalidUsage;
  (*comm)->rank = rank;
  (*comm)->size = size;
  (*comm)->id = id;
  return ncclInProgress;
}

ncclResult_t ncclCommGetAsyncError(ncclComm_t comm, ncclResult_t* result) {
  *result = ncclSuccess;
  if (comm->connecting > 0) {
    *result = --comm->connecting == 0 ? meet(comm) : ncclInProgress;
  } else if (comm->busy > 0) {
    *result = ncclInProgress;
    if (--comm->busy > 0) return ncclSuccess;
    for (const Given& each : comm->issued) stand_in::give(each.stream, each.work);
    comm->issued.clear();
    ++comm->groups;
  } else if (comm->groups >= 3 && fails("reduce", comm->rank)) {
    *result = ncclRemoteError;
  }
  return ncclSuccess;
}

ncclResult_t ncclCommAbort(ncclComm_t) {
  std::fprintf(stderr, "stand-in: the communicator is ended\n");
  return ncclSuccess;
}

ncclResult_t ncclGroupStart() {
  ++depth;
  return ncclSuccess;
}

ncclResult_t ncclGroupEnd() {
  if (--depth > 0 || !grouped) return ncclSuccess;
  grouped->busy = 2;
  grouped = nullptr;
  return ncclInProgress;
}

ncclResult_t ncclAllReduce(const void* input, void* output, size_t count, ncclDataType_t type, ncclRedOp_t op,
                           ncclComm_t comm, cudaStream_t stream) {
  const Kind kind = kind_of(type);
  if (kind.type == MPI_BYTE) return ncclInvalidArgument;
  const MPI_Op by = op == ncclMin ? MPI_MIN : op == ncclMax ? MPI_MAX : MPI_SUM;
  auto state = std::make_shared<Reduction>();
  return give(comm, stream, [=] {
    if (!state->begun) {
      if (still_late(comm->rank)) return false;
      state->begun = true;
      state->given.assign(stand_in::real(input), stand_in::real(input) + count * kind.bytes);
      state->made.resize(state->given.size());
      MPI_Iallreduce(state->given.data(), state->made.data(), static_cast<int>(count), kind.type, by, comm->ranks,
                     &state->request);
    }
    int done = 0;
    MPI_Test(&state->request, &done, MPI_STATUS_IGNORE);
    if (!done) return false;
    if (op == ncclAvg && type == ncclFloat32) divide<float>(&state->made, comm->size);
    if (op == ncclAvg && type == ncclFloat64) divide<double>(&state->made, comm->size);
    std::memcpy(stand_in::real(output), state->made.data(), state->made.size());
    return true;
  });
}

ncclResult_t ncclBroadcast(const void* input, void* output, size_t count, ncclDataType_t type, int root, ncclComm_t comm,
                           cudaStream_t stream) {
  const size_t bytes = count * kind_of(type).bytes;
  auto state = std::make_shared<Reduction>();
  return give(comm, stream, [=] {
    if (!state->begun) {
      state->begun = true;
      state->given.assign(stand_in::real(input), stand_in::real(input) + bytes);
      MPI_Ibcast(state->given.data(), static_cast<int>(bytes), MPI_BYTE, root, comm->ranks, &state->request);
    }
    int done = 0;
    MPI_Test(&state->request, &done, MPI_STATUS_IGNORE);
    if (done) std::memcpy(stand_in::real(output), state->given.data(), bytes);
    return done != 0;
  });
}

}  // extern "C"

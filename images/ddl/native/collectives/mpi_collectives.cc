#include "collectives/mpi_collectives.h"

#include <algorithm>

#include "collectives/arithmetic.h"
#include "engine.h"

namespace ddl {
namespace {

const int kTag = 7;
const size_t kSmallBytes = 16 * 1024;  // bytes up to which log2(p) messages of all data beat 2(p-1) messages of a part
const size_t kSegment = 128 * 1024;  // bytes of one message of a ring: while one is reduced, the next is in transfer
const size_t kMaxCount = size_t(1) << 28;  // elements per MPI call, whose counts are int

int as_op(int reduction) { return reduction == DDL_MIN ? 1 : reduction == DDL_MAX ? 2 : 0; }

// `a op b` in rank order, so that both sides of an exchange get the same bits.
void reduce_pair(int type, int reduction, char* mine, const char* peer_data, size_t n, bool mine_first) {
  const void* sources[2] = {mine_first ? mine : peer_data, mine_first ? peer_data : mine};
  combine(type, reduction, mine, sources, 2, n, 1);
}

template <int type, int reduction>
void mpi_combine(void* in, void* inout, int* n, MPI_Datatype*) {
  const void* sources[2] = {in, inout};
  combine(type, reduction, inout, sources, 2, static_cast<size_t>(*n), 1);
}

template <int type>
void make_ops(MPI_Op* ops) {
  MPI_Op_create(&mpi_combine<type, DDL_SUM>, 1, &ops[0]);
  MPI_Op_create(&mpi_combine<type, DDL_MIN>, 1, &ops[1]);
  MPI_Op_create(&mpi_combine<type, DDL_MAX>, 1, &ops[2]);
}

}  // namespace

MpiCollectives::MpiCollectives() {
  for (MPI_Datatype* type : {&float16_, &bfloat16_}) {
    MPI_Type_contiguous(2, MPI_BYTE, type);
    MPI_Type_commit(type);
  }
  make_ops<DDL_FLOAT16>(ops_[0]);
  make_ops<DDL_BFLOAT16>(ops_[1]);
}

MpiCollectives::~MpiCollectives() {
  MPI_Type_free(&float16_);
  MPI_Type_free(&bfloat16_);
  for (auto& of_type : ops_) {
    for (MPI_Op& op : of_type) MPI_Op_free(&op);
  }
}

MPI_Datatype MpiCollectives::datatype(int type) const {
  switch (type) {
    case DDL_FLOAT16:
      return float16_;
    case DDL_BFLOAT16:
      return bfloat16_;
    case DDL_FLOAT32:
      return MPI_FLOAT;
    case DDL_FLOAT64:
      return MPI_DOUBLE;
    case DDL_INT32:
      return MPI_INT32_T;
    case DDL_INT64:
      return MPI_INT64_T;
    default:
      return MPI_BYTE;
  }
}

MPI_Op MpiCollectives::op(int type, int reduction) const {
  if (type == DDL_FLOAT16 || type == DDL_BFLOAT16) return ops_[type == DDL_FLOAT16 ? 0 : 1][as_op(reduction)];
  const MPI_Op named[3] = {MPI_SUM, MPI_MIN, MPI_MAX};
  return named[as_op(reduction)];
}

void MpiCollectives::mpi_allreduce(char* data, size_t n, int type, int reduction, MPI_Comm comm) {
  for (size_t at = 0; at < n; at += kMaxCount) {
    const int count = static_cast<int>(std::min(kMaxCount, n - at));
    MPI_Allreduce(MPI_IN_PLACE, data + at * size_of(type), count, datatype(type), op(type, reduction), comm);
  }
}

void MpiCollectives::recursive_doubling(char* data, size_t n, int type, int reduction, MPI_Comm comm) {
  int rank, size;
  MPI_Comm_rank(comm, &rank);
  MPI_Comm_size(comm, &size);
  const int count = static_cast<int>(n);
  const MPI_Datatype as = datatype(type);
  char* peer_data = receive_buffer_.of(n * size_of(type));
  int power = 1;
  while (power * 2 <= size) power *= 2;
  // Ranks beyond a power of two are paired first: the odd rank of each pair sends its data and gets the result at the
  // end.
  const int pairs = size - power;
  const bool paired = rank < 2 * pairs;
  if (paired && rank % 2 == 1) {
    MPI_Send(data, count, as, rank - 1, kTag, comm);
    MPI_Recv(data, count, as, rank - 1, kTag, comm, MPI_STATUS_IGNORE);
    return;
  }
  if (paired) {
    MPI_Recv(peer_data, count, as, rank + 1, kTag, comm, MPI_STATUS_IGNORE);
    reduce_pair(type, reduction, data, peer_data, n, true);
  }
  const int position = paired ? rank / 2 : rank - pairs;
  for (int distance = 1; distance < power; distance *= 2) {
    const int other = position ^ distance;
    const int peer = other < pairs ? other * 2 : other + pairs;
    MPI_Sendrecv(data, count, as, peer, kTag, peer_data, count, as, peer, kTag, comm, MPI_STATUS_IGNORE);
    reduce_pair(type, reduction, data, peer_data, n, position < other);
  }
  if (paired) MPI_Send(data, count, as, rank + 1, kTag, comm);
}

MpiCollectives::Ring MpiCollectives::ring(size_t n, int type, MPI_Comm comm) const {
  Ring ring;
  ring.n = n;
  ring.element = size_of(type);
  ring.comm = comm;
  MPI_Comm_rank(comm, &ring.rank);
  MPI_Comm_size(comm, &ring.size);
  ring.left = (ring.rank + ring.size - 1) % ring.size;
  ring.right = (ring.rank + 1) % ring.size;
  return ring;
}

void MpiCollectives::reduce_scatter(char* data, const Ring& ring, int type, int reduction) {
  const size_t max_length = ring.n / static_cast<size_t>(ring.size) + 1;
  char* receive_buffer = receive_buffer_.of(max_length * ring.element);
  const size_t segment = kSegment / ring.element;
  std::vector<MPI_Request> receiving, sending;
  for (int step = 1; step < ring.size; ++step) {
    const int out = (ring.rank - step + ring.size) % ring.size;
    const int in = (ring.rank - step - 1 + 2 * ring.size) % ring.size;
    const size_t in_length = ring.length(in), out_length = ring.length(out);
    receiving.clear();
    sending.clear();
    for (size_t at = 0; at < in_length; at += segment) {
      const size_t n = std::min(segment, in_length - at);
      receiving.push_back(MPI_REQUEST_NULL);
      MPI_Irecv(receive_buffer + at * ring.element, static_cast<int>(n * ring.element), MPI_BYTE, ring.left, kTag,
                ring.comm, &receiving.back());
    }
    for (size_t at = 0; at < out_length; at += segment) {
      const size_t n = std::min(segment, out_length - at);
      sending.push_back(MPI_REQUEST_NULL);
      MPI_Isend(data + (ring.start(out) + at) * ring.element, static_cast<int>(n * ring.element), MPI_BYTE, ring.right,
                kTag, ring.comm, &sending.back());
    }
    for (size_t index = 0; index < receiving.size(); ++index) {
      MPI_Wait(&receiving[index], MPI_STATUS_IGNORE);
      const size_t at = index * segment;
      reduce_pair(type, reduction, data + (ring.start(in) + at) * ring.element, receive_buffer + at * ring.element,
           std::min(segment, in_length - at), true);
    }
    MPI_Waitall(static_cast<int>(sending.size()), sending.data(), MPI_STATUSES_IGNORE);
  }
}

void MpiCollectives::allgather(char* data, const Ring& ring) {
  for (int step = 0; step < ring.size - 1; ++step) {
    const int out = (ring.rank - step + ring.size) % ring.size;
    const int in = (ring.rank - step - 1 + ring.size) % ring.size;
    MPI_Sendrecv(data + ring.start(out) * ring.element, static_cast<int>(ring.length(out) * ring.element), MPI_BYTE,
                 ring.right, kTag, data + ring.start(in) * ring.element,
                 static_cast<int>(ring.length(in) * ring.element), MPI_BYTE, ring.left, kTag, ring.comm,
                 MPI_STATUS_IGNORE);
  }
}

void MpiCollectives::ring_allreduce(char* data, size_t n, int type, int reduction, MPI_Comm comm) {
  const Ring whole = ring(n, type, comm);
  reduce_scatter(data, whole, type, reduction);
  allgather(data, whole);
}

void MpiCollectives::multi_dimensional(char* data, size_t n, int type, int reduction,
                                       const std::vector<MPI_Comm>& comms, size_t level) {
  if (level == comms.size()) return;
  if (n * size_of(type) <= kSmallBytes) {
    for (size_t each = level; each < comms.size(); ++each) recursive_doubling(data, n, type, reduction, comms[each]);
    return;
  }
  const Ring here = ring(n, type, comms[level]);
  reduce_scatter(data, here, type, reduction);
  multi_dimensional(data + here.start(here.rank) * here.element, here.length(here.rank), type, reduction, comms,
                    level + 1);
  allgather(data, here);
}

}  // namespace ddl

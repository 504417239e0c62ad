// Allreduce algorithms over MPI point-to-point messages, used between hosts.
#ifndef DDL_COLLECTIVES_MPI_COLLECTIVES_H
#define DDL_COLLECTIVES_MPI_COLLECTIVES_H

#include <mpi.h>

#include <cstddef>
#include <vector>

namespace ddl {

// A reusable buffer: page faults of fresh memory cost more than MPI's messages.
class Buffer {
 public:
  char* of(size_t bytes) {
    if (bytes > memory_.size()) memory_.resize(bytes);
    return memory_.data();
  }

 private:
  std::vector<char> memory_;
};

class MpiCollectives {
 public:
  MpiCollectives();
  ~MpiCollectives();
  MpiCollectives(const MpiCollectives&) = delete;
  MpiCollectives& operator=(const MpiCollectives&) = delete;

  // Each reduces `data` (n elements) in place over `comm`. This one uses MPI_Allreduce.
  void mpi_allreduce(char* data, size_t n, int type, int reduction, MPI_Comm comm);
  // Recursive doubling: log2(p) steps with all of the data; for small tensors.
  void recursive_doubling(char* data, size_t n, int type, int reduction, MPI_Comm comm);
  // Ring: reduce-scatter, then allgather; 2(p-1) steps of n/p elements; for large tensors.
  void ring_allreduce(char* data, size_t n, int type, int reduction, MPI_Comm comm);
  // Over several dimensions, innermost first: reduce-scatter, the next dimension on this rank's part, allgather.
  void multi_dimensional(char* data, size_t n, int type, int reduction, const std::vector<MPI_Comm>& comms,
                         size_t level = 0);

  // The MPI type and operation.
  MPI_Datatype datatype(int type) const;
  MPI_Op op(int type, int reduction) const;

 private:
  struct Ring {
    int rank, size, left, right;
    size_t n, element;
    MPI_Comm comm;
    size_t start(int chunk) const { return n * static_cast<size_t>(chunk) / static_cast<size_t>(size); }
    size_t length(int chunk) const { return start(chunk + 1) - start(chunk); }
  };
  Ring ring(size_t n, int type, MPI_Comm comm) const;
  // Afterwards this rank's own chunk is fully reduced.
  void reduce_scatter(char* data, const Ring& ring, int type, int reduction);
  void allgather(char* data, const Ring& ring);

  MPI_Datatype float16_, bfloat16_;
  MPI_Op ops_[2][3];
  Buffer receive_buffer_;
};

}  // namespace ddl

#endif

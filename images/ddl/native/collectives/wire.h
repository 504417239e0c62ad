// Collectives between hosts, made of MPI's messages: the algorithms by name.
#ifndef DDL_COLLECTIVES_WIRE_H
#define DDL_COLLECTIVES_WIRE_H

#include <mpi.h>

#include <cstddef>
#include <vector>

namespace ddl {

// A buffer that is kept: fresh memory costs more in page faults than MPI costs in messages.
class Buffer {
 public:
  char* of(size_t bytes) {
    if (bytes > memory_.size()) memory_.resize(bytes);
    return memory_.data();
  }

 private:
  std::vector<char> memory_;
};

class Wire {
 public:
  Wire();
  ~Wire();
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;

  // All reduce `data` (n elements) in place over `comm`.
  void by_mpi(char* data, size_t n, int type, int reduction, MPI_Comm comm);
  // Recursive doubling: log2(p) steps of the whole, for what is small.
  void by_doubling(char* data, size_t n, int type, int reduction, MPI_Comm comm);
  // A ring: reduce-scatter, then allgather; 2(p-1) steps of n/p, for what is large.
  void by_ring(char* data, size_t n, int type, int reduction, MPI_Comm comm);
  // Over several dimensions, inmost first: reduce-scatter, the next dimension with this rank's part, allgather.
  void by_dimensions(char* data, size_t n, int type, int reduction, const std::vector<MPI_Comm>& comms, size_t level = 0);

  // MPI's names for a type and a reduction.
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
  // Afterwards this rank's chunk (its own number) is whole.
  void scatter(char* data, const Ring& ring, int type, int reduction);
  void gather(char* data, const Ring& ring);

  MPI_Datatype half_, brain_;
  MPI_Op ops_[2][3];
  Buffer received_;
};

}  // namespace ddl

#endif

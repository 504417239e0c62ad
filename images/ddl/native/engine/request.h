// A collective requested by this rank.
#ifndef DDL_ENGINE_REQUEST_H
#define DDL_ENGINE_REQUEST_H

#include <cstddef>
#include <string>
#include <vector>

#include "engine.h"

namespace ddl {

struct Request {
  struct Tensor {
    const void* input;
    void* output;
    size_t count;
    int type;
  };

  std::string name;
  std::string signature;     // must be equal on all ranks; packed, see `describe`
  int kind, op_or_root;      // op_or_root: reduction operation, or a broadcast's root
  bool shares_name = false;  // with other collectives; only their order tells them apart
  std::vector<Tensor> tensors;
  ddl_done done;
  void* context;
  double since;           // time of submission
  bool on_gpu = false;    // tensors are in this rank's GPU memory, and
  void* event = nullptr;  // are ready once this event has completed
};

// Validates the arguments of a collective on rank `rank` of `size`. False on error, with the reason in `error`.
bool make_request(const char* name, int kind, int op_or_root, const ddl_tensor* tensors, int count, int rank, int size,
                  Request* request, std::string* error);

// The same signature for tensors on GPUs.
std::string on_gpu(const std::string& signature);

// Whether the name is one of the divergence guard's.
bool is_guard_collective(const std::string& name);

// Whether the signature is that of an allreduce.
bool is_reduction(const std::string& signature);

// The same signature with another origin, for a collective that shares its name.
std::string with_origin(const std::string& signature, const std::string& origin);
std::string origin_of(const std::string& signature);
bool shares_name(const std::string& signature);

// Index of the first tensor in which two signatures differ; 0 if they differ in something else.
size_t first_difference(const std::string& one, const std::string& other);

// A readable signature: `allreduce sum float32[2,3] float32[3]`. Beyond a few tensors only their number is given; if
// tensor `about` (0-based) is among those, it is the one shown.
std::string describe(const std::string& signature, size_t about = 0);

}  // namespace ddl

#endif

// A collective that this rank has asked for.
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
  std::string signature;  // what must be equal on all ranks, packed; see `describe`
  int kind, reduction;
  std::vector<Tensor> tensors;
  ddl_done done;
  void* context;
  double since;           // when it came
  bool on_gpu = false;    // its tensors are in this rank's GPU's memory, and
  void* event = nullptr;  // have their values once this has passed
};

// Reads what a caller asked for. False if it cannot be, with the reason in `error`.
bool make_request(const char* name, int kind, int reduction, const ddl_tensor* tensors, int count, Request* request,
                  std::string* error);

// The signature of a collective that is the same but for the place: its tensors are on GPUs.
std::string on_gpu(const std::string& signature);

// Whether a name is one of the divergence guard's.
bool is_guards(const std::string& name);

// Whether a signature is an allreduce's.
bool is_reduction(const std::string& signature);

// A signature in words: `allreduce sum float32[2,3] float32[3]`, the tensors beyond a few only counted.
std::string describe(const std::string& signature);

}  // namespace ddl

#endif

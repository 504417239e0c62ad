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
  int kind, how;          // a reduction's operation, a broadcast's root
  bool shares_name = false;  // with other collectives, which its order alone tells from it
  std::vector<Tensor> tensors;
  ddl_done done;
  void* context;
  double since;           // when it came
  bool on_gpu = false;    // its tensors are in this rank's GPU's memory, and
  void* event = nullptr;  // have their values once this has passed
};

// Reads what a caller of rank `rank` of `size` asked for. False if it cannot be, with the reason in `error`.
bool make_request(const char* name, int kind, int how, const ddl_tensor* tensors, int count, int rank, int size,
                  Request* request, std::string* error);

// The signature of a collective that is the same but for the place: its tensors are on GPUs.
std::string on_gpu(const std::string& signature);

// Whether a name is one of the divergence guard's.
bool is_guards(const std::string& name);

// Whether a signature is an allreduce's.
bool is_reduction(const std::string& signature);

// The signature of a collective that is the same but for where it comes from; of one that shares its name.
std::string with_origin(const std::string& signature, const std::string& origin);
std::string origin_of(const std::string& signature);
bool shares_name(const std::string& signature);

// The first tensor about which two signatures differ, counted from 0; 0 if they differ about something else.
size_t first_difference(const std::string& one, const std::string& other);

// A signature in words: `allreduce sum float32[2,3] float32[3]`, the tensors beyond a few only counted. Where tensor
// number `about` (from 0) is beyond these, it is the one that is shown.
std::string describe(const std::string& signature, size_t about = 0);

}  // namespace ddl

#endif

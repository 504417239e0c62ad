#include "engine/request.h"

#include <cstdint>
#include <cstring>
#include <sstream>

#include "collectives/arithmetic.h"

namespace ddl {
namespace {

const size_t kNamed = 4;  // tensors of a list that are told in words

const char* const kTypes[] = {"float16", "bfloat16", "float32", "float64", "int32", "int64", "bytes"};
const char* const kReductions[] = {"sum", "avg", "min", "max"};

void pack(int64_t value, std::string* to) { to->append(reinterpret_cast<const char*>(&value), sizeof value); }

const int64_t kOnGpu = 16;  // added to the kind

int64_t unpack(const std::string& from, size_t* at) {
  int64_t value;
  std::memcpy(&value, from.data() + *at, sizeof value);
  *at += sizeof value;
  return value;
}

const char* unusable(const char* name, int kind, int reduction, const ddl_tensor* tensors, int count) {
  if (!name || !*name) return "a collective needs a name";
  if (kind != DDL_ALLREDUCE && kind != DDL_BROADCAST) return "no such kind of collective";
  if (reduction < DDL_SUM || reduction > DDL_MAX) return "no such reduction";
  if (count < 0 || (count > 0 && !tensors)) return "no tensors";
  for (int index = 0; index < count; ++index) {
    const ddl_tensor& tensor = tensors[index];
    if (size_of(tensor.type) == 0) return "no such type";
    if (kind == DDL_BROADCAST) continue;
    if (tensor.type == DDL_BYTES) return "bytes can be broadcast, not reduced";
    if (reduction == DDL_AVERAGE && (tensor.type == DDL_INT32 || tensor.type == DDL_INT64)) {
      return "the average of integers is no integer: sum them, or cast them to floating point first";
    }
  }
  return nullptr;
}

}  // namespace

bool make_request(const char* name, int kind, int reduction, const ddl_tensor* tensors, int count, Request* request,
                  std::string* error) {
  if (const char* why = unusable(name, kind, reduction, tensors, count)) {
    *error = std::string(name && *name ? name : "(no name)") + ": " + why;
    return false;
  }
  request->name = name;
  request->kind = kind;
  request->reduction = reduction;
  pack(kind, &request->signature);
  pack(kind == DDL_BROADCAST ? DDL_SUM : reduction, &request->signature);
  for (int index = 0; index < count; ++index) {
    const ddl_tensor& tensor = tensors[index];
    int64_t elements = 1;
    pack(tensor.type, &request->signature);
    pack(tensor.ndims, &request->signature);
    for (int axis = 0; axis < tensor.ndims; ++axis) {
      if (tensor.dims[axis] < 0) {
        *error = request->name + ": a dimension is negative";
        return false;
      }
      elements *= tensor.dims[axis];
      pack(tensor.dims[axis], &request->signature);
    }
    request->tensors.push_back({tensor.input, tensor.output, static_cast<size_t>(elements), tensor.type});
  }
  return true;
}

std::string on_gpu(const std::string& signature) {
  size_t at = 0;
  std::string changed;
  pack(unpack(signature, &at) + kOnGpu, &changed);
  return changed + signature.substr(at);
}

bool is_guards(const std::string& name) { return name.compare(0, sizeof DDL_GUARD_NAMES - 1, DDL_GUARD_NAMES) == 0; }

bool is_reduction(const std::string& signature) {
  size_t at = 0;
  return unpack(signature, &at) % kOnGpu == DDL_ALLREDUCE;
}

std::string describe(const std::string& signature) {
  std::ostringstream words;
  size_t at = 0, tensors = 0;
  const int64_t kind = unpack(signature, &at);
  const bool broadcast = kind % kOnGpu == DDL_BROADCAST;
  const int64_t reduction = unpack(signature, &at);
  words << (broadcast ? "broadcast" : "allreduce ") << (broadcast ? "" : kReductions[reduction]);
  for (; at < signature.size(); ++tensors) {
    std::ostringstream tensor;
    tensor << ' ' << kTypes[unpack(signature, &at)] << '[';
    const int64_t ndims = unpack(signature, &at);
    for (int64_t axis = 0; axis < ndims; ++axis) tensor << (axis ? "," : "") << unpack(signature, &at);
    if (tensors < kNamed) words << tensor.str() << ']';
  }
  if (kind >= kOnGpu) words << " on GPUs";
  if (tensors > kNamed) words << " … " << tensors << " tensors";
  return words.str();
}

}  // namespace ddl

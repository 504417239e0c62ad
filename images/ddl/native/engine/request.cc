#include "engine/request.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <sstream>
#include <vector>

#include "collectives/arithmetic.h"

namespace ddl {
namespace {

const size_t kNamed = 4;  // tensors of a list that are described individually

const char* const kTypes[] = {"float16", "bfloat16", "float32", "float64", "int32", "int64", "bytes"};
const char* const kReductions[] = {"sum", "avg", "min", "max"};

void pack(int64_t value, std::string* to) { to->append(reinterpret_cast<const char*>(&value), sizeof value); }

const int64_t kOnGpu = 16;         // added to the kind
const std::string kShared = "\n";  // precedes the origin of a collective that shares its name

int64_t unpack(const std::string& from, size_t* at) {
  int64_t value;
  std::memcpy(&value, from.data() + *at, sizeof value);
  *at += sizeof value;
  return value;
}

void pack(const std::string& text, std::string* to) {
  pack(static_cast<int64_t>(text.size()), to);
  *to += text;
}

std::string unpack_text(const std::string& from, size_t* at) {
  const size_t size = static_cast<size_t>(unpack(from, at));
  *at += size;
  return from.substr(*at - size, size);
}

std::string validate(int kind, int op_or_root, const ddl_tensor* tensors, int count, int size) {
  if (kind != DDL_ALLREDUCE && kind != DDL_BROADCAST) return "no such kind of collective";
  if (kind == DDL_BROADCAST && (op_or_root < 0 || op_or_root >= size)) {
    return "root " + std::to_string(op_or_root) + " does not exist: there are " + std::to_string(size) +
           " ranks, numbered from 0";
  }
  if (kind == DDL_ALLREDUCE && (op_or_root < DDL_SUM || op_or_root > DDL_MAX)) return "no such reduction";
  if (count < 0 || (count > 0 && !tensors)) return "no tensors";
  for (int index = 0; index < count; ++index) {
    const ddl_tensor& tensor = tensors[index];
    const int64_t unit = static_cast<int64_t>(size_of(tensor.type));
    if (unit == 0) return "no such type";
    if (tensor.element_bytes < 0 || tensor.element_bytes % unit) {
      return "element size is not a multiple of the type's size";
    }
    if (kind == DDL_BROADCAST) continue;
    if (tensor.type == DDL_BYTES) return "bytes can be broadcast, not reduced";
    if (op_or_root == DDL_AVERAGE && (tensor.type == DDL_INT32 || tensor.type == DDL_INT64)) {
      return "the average of integers is not an integer: sum them, or cast them to floating point first";
    }
  }
  return "";
}

// A signature without its tensors; `at` is set to where they begin.
struct Header {
  int64_t kind, op_or_root;
  std::string origin;
};

Header unpack_header(const std::string& signature, size_t* at) {
  Header head;
  head.kind = unpack(signature, at);
  head.op_or_root = unpack(signature, at);
  head.origin = unpack_text(signature, at);
  return head;
}

// Each tensor of a signature, readable.
std::vector<std::string> tensors_of(const std::string& signature) {
  std::vector<std::string> tensors;
  size_t at = 0;
  unpack_header(signature, &at);
  while (at < signature.size()) {
    std::ostringstream shape;
    const int64_t type = unpack(signature, &at), ndims = unpack(signature, &at);
    for (int64_t axis = 0; axis < ndims; ++axis) shape << (axis ? "," : "") << unpack(signature, &at);
    const std::string element = unpack_text(signature, &at);
    tensors.push_back((element.empty() ? kTypes[type] : element) + "[" + shape.str() + "]");
  }
  return tensors;
}

}  // namespace

bool make_request(const char* name, int kind, int op_or_root, const ddl_tensor* tensors, int count, int rank, int size,
                  Request* request, std::string* error) {
  const std::string given = name ? name : "";
  const size_t feed = given.find('\n');
  request->name = given.substr(0, feed);
  request->shares_name = feed != std::string::npos;
  std::string origin = request->shares_name ? given.substr(feed + 1) : "";
  if (origin[0] == '!') origin = origin.substr(1) + " at once on rank " + std::to_string(rank);
  if (request->name.empty()) {
    *error = "(no name): a collective needs a name";
    return false;
  }
  const std::string why = validate(kind, op_or_root, tensors, count, size);
  if (!why.empty()) {
    *error = request->name + ": " + why;
    return false;
  }
  request->kind = kind;
  request->op_or_root = op_or_root;
  pack(kind, &request->signature);
  pack(op_or_root, &request->signature);
  pack(request->shares_name ? kShared + origin : "", &request->signature);
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
    pack(tensor.element ? tensor.element : "", &request->signature);
    if (tensor.element_bytes) elements *= tensor.element_bytes / static_cast<int64_t>(size_of(tensor.type));
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

bool is_guard_collective(const std::string& name) {
  return name.compare(0, sizeof DDL_GUARD_NAMES - 1, DDL_GUARD_NAMES) == 0;
}

bool is_reduction(const std::string& signature) {
  size_t at = 0;
  return unpack_header(signature, &at).kind % kOnGpu == DDL_ALLREDUCE;
}

std::string with_origin(const std::string& signature, const std::string& origin) {
  size_t at = 0;
  const Header head = unpack_header(signature, &at);
  std::string changed;
  pack(head.kind, &changed);
  pack(head.op_or_root, &changed);
  pack(kShared + origin, &changed);
  return changed + signature.substr(at);
}

std::string origin_of(const std::string& signature) {
  size_t at = 0;
  const std::string origin = unpack_header(signature, &at).origin;
  return origin.empty() ? origin : origin.substr(kShared.size());
}

bool shares_name(const std::string& signature) {
  size_t at = 0;
  return !unpack_header(signature, &at).origin.empty();
}

size_t first_difference(const std::string& one, const std::string& other) {
  const std::vector<std::string> here = tensors_of(one), there = tensors_of(other);
  if (here.size() != there.size()) return 0;
  const auto differ = std::mismatch(here.begin(), here.end(), there.begin());
  return differ.first == here.end() ? 0 : static_cast<size_t>(differ.first - here.begin());
}

std::string describe(const std::string& signature, size_t about) {
  std::ostringstream message;
  size_t at = 0;
  const Header head = unpack_header(signature, &at);
  const std::vector<std::string> tensors = tensors_of(signature);
  if (head.kind % kOnGpu == DDL_BROADCAST) {
    message << "broadcast from " << head.op_or_root;
  } else {
    message << "allreduce " << kReductions[head.op_or_root];
  }
  if (about >= kNamed && about < tensors.size()) {
    message << " … " << tensors[about] << " as tensor " << about + 1 << " of " << tensors.size();
  } else {
    for (size_t index = 0; index < std::min(kNamed, tensors.size()); ++index) message << ' ' << tensors[index];
    if (tensors.size() > kNamed) message << " … " << tensors.size() << " tensors";
  }
  if (head.kind >= kOnGpu) message << " on GPUs";
  if (!origin_of(signature).empty()) message << " by " << origin_of(signature);
  return message.str();
}

}  // namespace ddl

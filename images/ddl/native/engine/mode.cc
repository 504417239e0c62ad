#include "engine/mode.h"

#include <cstdlib>
#include <sstream>

#include "engine.h"

namespace ddl {
namespace {

// Parses "2x4x1"; empty if malformed.
std::vector<int> read_dimensions(const std::string& text) {
  std::vector<int> dimensions;
  std::istringstream stream(text);
  std::string part;
  while (std::getline(stream, part, 'x')) {
    char* end = nullptr;
    const long value = std::strtol(part.c_str(), &end, 10);
    if (part.empty() || *end != '\0' || value < 1 || value > 1000000) return {};
    dimensions.push_back(static_cast<int>(value));
  }
  if (!text.empty() && text[text.size() - 1] == 'x') return {};
  return dimensions;
}

std::string read_layout(const std::string& text, int size, Mode* mode) {
  const size_t colon = text.find(':');
  const std::string letter = text.substr(0, colon);
  if (letter.size() != 1 || std::string("bnrmp").find(letter) == std::string::npos) {
    return "-mode " + text +
           ": the letter must be b (hierarchical), n (NCCL), r (ring), m (MPI) or p (explore and pick)";
  }
  mode->algorithm = letter[0];
  mode->nccl = letter == "n" || letter == "p";
  mode->nccl_requested = letter == "n";
  if (letter == "n") mode->algorithm = 'b';  // for tensors in host memory
  if (colon == std::string::npos) return "";
  mode->dimensions = read_dimensions(text.substr(colon + 1));
  if (mode->dimensions.empty()) {
    return "-mode " + text + ": dimensions are ranks per host x hosts [x racks [x aisles]], for example p:2x4";
  }
  long product = 1;
  for (int dimension : mode->dimensions) product *= dimension;
  if (product == size) return "";
  std::ostringstream message;
  message << "-mode " << text << ": the dimensions make " << product << " ranks, and mpirun started " << size;
  return message.str();
}

bool read_seconds(const std::string& text, double* seconds) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (text.empty() || *end != '\0' || !(value >= 0)) return false;
  *seconds = value;
  return true;
}

}  // namespace

Mode read_mode(const std::string& options, int size, std::string* error) {
  Mode mode;
  error->clear();
  if (const char* seconds = std::getenv("DDL_STALL_SECONDS")) {
    if (!read_seconds(seconds, &mode.stall_seconds)) *error = "DDL_STALL_SECONDS is not a number of seconds";
  }
  std::istringstream stream(options);
  std::string option, value;
  while (error->empty() && stream >> option) {
    if (option == "-mode" || option == "--mode") {
      if (!(stream >> value)) *error = "-mode has no value";
      else *error = read_layout(value, size, &mode);
    } else if (option == "-wire") {
      stream >> value;
      if (value == "fp16") mode.wire = DDL_FLOAT16;
      else if (value == "bf16") mode.wire = DDL_BFLOAT16;
      else *error = "-wire is fp16 or bf16";
    } else if (option == "-stall") {
      if (!(stream >> value) || !read_seconds(value, &mode.stall_seconds)) *error = "-stall is a number of seconds";
    } else if (option == "-explore") {
      if (!(stream >> value) || !read_seconds(value, &mode.explore_seconds)) *error = "-explore is a number of seconds";
    } else if (option == "-guard" || option == "-guard-tolerance") {
      double number;  // used by Python: the divergence guard is not part of the engine
      if (!(stream >> value) || !read_seconds(value, &number)) *error = option + " is a number";
    } else if (option == "-start") {  // used by Python: see ddl/rendezvous.py
      double seconds = 0;
      if (!(stream >> value) || !read_seconds(value, &seconds)) *error = "-start is a number of seconds";
    } else {
      mode.warnings.push_back("option " + option + " is not known and has no effect");
      const std::streampos here = stream.tellg();
      if (here != std::streampos(-1) && stream >> value && value[0] == '-') stream.clear(), stream.seekg(here);
    }
  }
  return mode;
}

}  // namespace ddl

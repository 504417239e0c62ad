// Step counters of the divergence guard for TensorFlow's op, and its callback into Python.
#include <stdint.h>

#include <atomic>
#include <mutex>
#include <unordered_map>

#include "engine.h"

namespace {

struct Counts {
  std::mutex mutex;
  std::unordered_map<int64_t, int64_t> of;
};

// Never destroyed: TensorFlow's threads may outlive static destructors.
Counts& counts() {
  static Counts* all = new Counts();
  return *all;
}

std::atomic<ddl_comparison> comparison{nullptr};

}  // namespace

extern "C" {

int64_t ddl_guard_count(int64_t key, int64_t more) {
  Counts& all = counts();
  std::lock_guard<std::mutex> lock(all.mutex);
  return all.of[key] += more;
}

void ddl_guard_set_comparison(ddl_comparison compare) { comparison = compare; }

int ddl_guard_compare(int64_t key, int64_t steps) {
  const ddl_comparison compare = comparison;
  return compare ? compare(key, steps) : DDL_OK;
}

}  // extern "C"

// Links each function of CUDA and NCCL that ddl uses with the real libraries, and starts without a GPU or a driver.
#include <cstdio>

#include "nccl/libraries.h"

int main() {
#define ADDRESS(name) reinterpret_cast<const void*>(&::name),
  const void* const all[] = {
      DDL_CUDA_FUNCTIONS(ADDRESS) DDL_NCCL_FUNCTIONS(ADDRESS)};
  std::size_t missing = 0;
  for (const void* one : all) missing += one == nullptr;
  std::printf("%zu there, %zu missing\n", sizeof all / sizeof *all - missing, missing);
  return 0;
}

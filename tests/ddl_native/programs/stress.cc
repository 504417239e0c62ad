// The engine under several threads of one program, for the sanitizers and valgrind, which want no Python around it.
//
//     mpirun -np N stress OPTIONS THREADS ROUNDS LARGEST
//
// Each thread submits lists of tensors of all types under names of its own, in an order of its own, waits, and looks at sums.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "engine.h"

namespace {

template <class T>
bool reduce(const std::string& name, int type, int64_t length) {
  const int rank = ddl_rank(), size = ddl_size();
  std::vector<T> given(static_cast<size_t>(length)), made(static_cast<size_t>(length));
  for (int64_t at = 0; at < length; ++at) given[static_cast<size_t>(at)] = static_cast<T>(rank + at % 100);
  const ddl_tensor tensors[2] = {{given.data(), made.data(), &length, 1, type}, {nullptr, nullptr, &length, 1, type}};
  const int64_t nothing = 0;
  ddl_tensor list[2] = {tensors[0], tensors[1]};
  list[1].dims = &nothing;
  if (ddl_run(name.c_str(), DDL_ALLREDUCE, DDL_SUM, list, 2) != DDL_OK) {
    std::fprintf(stderr, "%s\n", ddl_last_error());
    return false;
  }
  for (int64_t at = 0; at < length; ++at) {
    const T right = static_cast<T>(size * (size - 1) / 2 + size * (at % 100));
    if (made[static_cast<size_t>(at)] != right) {
      std::fprintf(stderr, "%s: wrong at %lld\n", name.c_str(), static_cast<long long>(at));
      return false;
    }
  }
  return true;
}

bool work(int thread, int rounds, int64_t largest) {
  bool good = true;
  for (int round = 0; round < rounds; ++round) {
    // The order of the threads differs between ranks by itself; that of lengths is the same.
    const int64_t length = (round * 7919 + thread * 104729) % largest;
    const std::string name = "thread " + std::to_string(thread) + (round % 3 ? " again" : " round " + std::to_string(round));
    good = reduce<float>(name + " f", DDL_FLOAT32, length) && good;
    good = reduce<double>(name + " d", DDL_FLOAT64, length) && good;
    good = reduce<int32_t>(name + " i", DDL_INT32, length) && good;
    good = reduce<int64_t>(name + " l", DDL_INT64, length / 3) && good;
  }
  return good;
}

}  // namespace

int main(int, char** words) {
  if (ddl_init(words[1], 0) != DDL_OK) {
    std::fprintf(stderr, "%s\n", ddl_last_error());
    return 2;
  }
  const int count = std::atoi(words[2]);
  std::vector<char> good(static_cast<size_t>(count));
  std::vector<std::thread> threads;
  for (int thread = 0; thread < count; ++thread) {
    threads.emplace_back([&good, thread, words] {
      good[static_cast<size_t>(thread)] = work(thread, std::atoi(words[3]), std::atoll(words[4]));
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (char one : good) {
    if (!one) return 1;
  }
  std::printf("\nRIGHT %d %s\n", ddl_rank(), ddl_algorithm(1 << 20));
  return ddl_shutdown();
}

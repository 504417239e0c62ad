// The engine under several threads of one program, for the sanitizers and valgrind, which want no Python around it.
//
//     mpirun -np N stress OPTIONS THREADS ROUNDS LARGEST [gpu]
//
// Each thread submits lists of tensors of all types under names of its own, in an order of its own, waits, and looks at sums. With `gpu` they lie there.
#include <dlfcn.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "engine.h"

namespace {

int local_rank() { return std::atoi(std::getenv("OMPI_COMM_WORLD_LOCAL_RANK")); }

// CUDA's functions by name, as this is compiled without its headers, and a stream.
struct Gpu {
  int (*allocate)(void**, size_t);
  int (*copy)(void*, const void*, size_t, int, void*);
  int (*synchronize)(void*);
  void* stream = nullptr;

  Gpu() {
    void* cuda = dlopen("libcudart.so.12", RTLD_NOW);
    take(cuda, "cudaMalloc", &allocate);
    take(cuda, "cudaMemcpyAsync", &copy);
    take(cuda, "cudaStreamSynchronize", &synchronize);
    int (*use)(int), (*make_stream)(void**, unsigned);
    take(cuda, "cudaSetDevice", &use);
    take(cuda, "cudaStreamCreateWithFlags", &make_stream);
    use(local_rank());
    make_stream(&stream, 1);
  }

  template <class Function>
  static void take(void* library, const char* name, Function* function) {
    *function = reinterpret_cast<Function>(dlsym(library, name));
  }

  // As ddl_run.
  int run(const char* name, const ddl_tensor* tensors, int count, size_t bytes) const {
    std::vector<ddl_tensor> there(tensors, tensors + count);
    void* input = nullptr;
    void* output = nullptr;
    allocate(&input, bytes);
    allocate(&output, bytes);
    copy(input, tensors[0].input, bytes, 1, stream);
    there[0].input = input;
    there[0].output = output;
    std::promise<int> result;
    const int begun = ddl_enqueue_on_gpu(
        name, DDL_ALLREDUCE, DDL_SUM, there.data(), count, stream,
        [](void* context, int code, const char* message) {
          if (code != DDL_OK) std::fprintf(stderr, "%s\n", message);
          static_cast<std::promise<int>*>(context)->set_value(code);
        },
        &result);
    const int code = begun == DDL_OK ? result.get_future().get() : begun;
    copy(tensors[0].output, output, bytes, 2, stream);
    synchronize(stream);
    return code;
  }
};

template <class T>
bool reduce(const Gpu* gpu, const std::string& name, int type, int64_t length) {
  const int rank = ddl_rank(), size = ddl_size();
  std::vector<T> given(static_cast<size_t>(length)), made(static_cast<size_t>(length));
  for (int64_t at = 0; at < length; ++at) given[static_cast<size_t>(at)] = static_cast<T>(rank + at % 100);
  const ddl_tensor tensors[2] = {{given.data(), made.data(), &length, 1, type}, {nullptr, nullptr, &length, 1, type}};
  const int64_t nothing = 0;
  ddl_tensor list[2] = {tensors[0], tensors[1]};
  list[1].dims = &nothing;
  const int code = gpu ? gpu->run(name.c_str(), list, 2, given.size() * sizeof(T))
                       : ddl_run(name.c_str(), DDL_ALLREDUCE, DDL_SUM, list, 2);
  if (code != DDL_OK) {
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

bool work(int thread, int rounds, int64_t largest, bool on_gpu) {
  const std::unique_ptr<Gpu> gpu(on_gpu ? new Gpu() : nullptr);
  bool good = true;
  for (int round = 0; round < rounds; ++round) {
    // The order of the threads differs between ranks by itself; that of lengths is the same.
    const int64_t length = (round * 7919 + thread * 104729) % largest;
    const std::string name = "thread " + std::to_string(thread) + (round % 3 ? " again" : " round " + std::to_string(round));
    good = reduce<float>(gpu.get(), name + " f", DDL_FLOAT32, length) && good;
    good = reduce<double>(gpu.get(), name + " d", DDL_FLOAT64, length) && good;
    good = reduce<int32_t>(gpu.get(), name + " i", DDL_INT32, length) && good;
    good = reduce<int64_t>(gpu.get(), name + " l", DDL_INT64, length / 3) && good;
  }
  return good;
}

}  // namespace

int main(int argc, char** argv) {
  if (ddl_init(argv[1], local_rank()) != DDL_OK) {
    std::fprintf(stderr, "%s\n", ddl_last_error());
    return 2;
  }
  const int count = std::atoi(argv[2]);
  std::vector<char> good(static_cast<size_t>(count));
  std::vector<std::thread> threads;
  for (int thread = 0; thread < count; ++thread) {
    threads.emplace_back([&good, thread, argv, argc] {
      good[static_cast<size_t>(thread)] = work(thread, std::atoi(argv[3]), std::atoll(argv[4]), argc > 5);
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (char one : good) {
    if (!one) return 1;
  }
  std::printf("\nRIGHT %d %s %s\n", ddl_rank(), ddl_algorithm(1 << 20), ddl_gpu_algorithm());
  return ddl_shutdown();
}

#include "collectives/shared_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <vector>

#include "collectives/arithmetic.h"
#include "collectives/backoff.h"

namespace ddl {
namespace {

const uint64_t kSlots = 4;                  // per rank: one being filled, one reduced, one read, one ahead
const size_t kSlotBytes = 512 * 1024;       // measured with benchmarks/allreduce.py; at most half an L2 cache
const size_t kMaxBytes = 32 * 1024 * 1024;  // of all slots: half of a container's default /dev/shm
const size_t kCacheLine = 64;               // bytes

size_t slot_bytes_for(int local_size) {
  const size_t available = kMaxBytes / (kSlots * static_cast<size_t>(local_size));
  const size_t least = kCacheLine * static_cast<size_t>(local_size);
  return std::max(least, std::min(kSlotBytes, available / kCacheLine * kCacheLine));
}

}  // namespace

// One collective: where each chunk and each share begins, in elements.
struct SharedMemory::Work {
  const Spans& spans;
  int type, reduction;
  double scale;
  const InterHost& inter_host;
  size_t chunk_length, chunks;
  int local_size;

  size_t begin(size_t chunk) const { return chunk * chunk_length; }
  size_t length(size_t chunk) const { return std::min(chunk_length, spans.count() - begin(chunk)); }
  // Where a rank's share of a chunk begins: aligned to cache lines, so that no two processors write to the same one.
  size_t share(size_t chunk, int peer) const {
    const size_t n = length(chunk), per_line = kCacheLine / spans.element_size();
    if (peer == local_size) return n;
    return std::min(n, n * static_cast<size_t>(peer) / static_cast<size_t>(local_size) / per_line * per_line);
  }
};

std::unique_ptr<SharedMemory> SharedMemory::open(MPI_Comm host) {
  std::unique_ptr<SharedMemory> shared(new SharedMemory());
  MPI_Comm_rank(host, &shared->local_rank_);
  MPI_Comm_size(host, &shared->local_size_);
  shared->oversubscribed_ = shared->local_size_ > sysconf(_SC_NPROCESSORS_ONLN);
  shared->slot_bytes_ = slot_bytes_for(shared->local_size_);
  const size_t local_size = static_cast<size_t>(shared->local_size_);
  const size_t header_bytes = (local_size * sizeof(Progress) + 4095) / 4096 * 4096;
  shared->bytes_ = header_bytes + local_size * kSlots * shared->slot_bytes_;
  char name[64];
  std::snprintf(name, sizeof name, "/ddl-%ld-%llx", static_cast<long>(getpid()),
                static_cast<unsigned long long>(now() * 1e9));
  MPI_Bcast(name, sizeof name, MPI_CHAR, 0, host);
  int file = -1, ok = 1;
  if (shared->local_rank_ == 0) {
    file = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
    // Allocate now: writing to memory that cannot be backed later would be a bus error.
    ok = file >= 0 && posix_fallocate(file, 0, static_cast<off_t>(shared->bytes_)) == 0;
  }
  MPI_Bcast(&ok, 1, MPI_INT, 0, host);
  if (ok && shared->local_rank_ != 0) file = shm_open(name, O_RDWR, 0600);
  if (ok && file >= 0) {
    void* memory = mmap(nullptr, shared->bytes_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, file, 0);
    if (memory != MAP_FAILED) shared->memory_ = static_cast<char*>(memory);
  }
  ok = shared->memory_ != nullptr;
  MPI_Allreduce(MPI_IN_PLACE, &ok, 1, MPI_INT, MPI_MIN, host);
  if (file >= 0) close(file);
  // All ranks have it mapped, so it is freed with the last process, however that ends.
  if (shared->local_rank_ == 0) shm_unlink(name);
  if (!ok) return nullptr;
  return shared;
}

SharedMemory::~SharedMemory() {
  if (memory_) munmap(memory_, bytes_);
}

char* SharedMemory::slot(int peer, uint64_t chunk) const {
  const size_t header_bytes = (static_cast<size_t>(local_size_) * sizeof(Progress) + 4095) / 4096 * 4096;
  const uint64_t index = static_cast<uint64_t>(peer) * kSlots + chunk % kSlots;
  return memory_ + header_bytes + index * slot_bytes_;
}

void SharedMemory::wait_for_all(std::atomic<uint64_t> Progress::*step, uint64_t count) {
  for (int peer = 0; peer < local_size_; ++peer) wait_for(peer, step, count);
}

void SharedMemory::wait_for(int peer, std::atomic<uint64_t> Progress::*step, uint64_t count) {
  const std::atomic<uint64_t>& state = progress(peer).*step;
  if (state.load(std::memory_order_acquire) >= count) return;
  Backoff backoff;
  double since = 0;
  while (state.load(std::memory_order_acquire) < count) {
    backoff.wait(oversubscribed_);
    if (!stall_seconds || !backoff.should_check_clock()) continue;
    const double time = now();
    if (since == 0) since = time;
    if (time - since > stall_seconds) {
      if (stalled) stalled(stall_seconds, peer);
      since = time;
    }
  }
}

void SharedMemory::copy_in(const Work& work, size_t chunk) {
  const size_t begin = work.begin(chunk), element = work.spans.element_size();
  char* to = slot(local_rank_, chunks_done_ + chunk);
  const auto copy = [&](size_t from, size_t until) {
    work.spans.each(begin + from, begin + until, [&](const char* input, char*, size_t offset, size_t n) {
      std::memcpy(to + (from + offset) * element, input, n * element);
    });
  };
  copy(0, work.share(chunk, local_rank_));
  copy(work.share(chunk, local_rank_ + 1), work.length(chunk));
}

void SharedMemory::reduce(const Work& work, size_t chunk) {
  const size_t element = work.spans.element_size();
  const size_t from = work.share(chunk, local_rank_), until = work.share(chunk, local_rank_ + 1);
  if (from == until) return;
  char* result = slot(local_rank_, chunks_done_ + chunk) + from * element;
  std::vector<const void*> sources(static_cast<size_t>(local_size_));
  const size_t begin = work.begin(chunk);
  work.spans.each(begin + from, begin + until, [&](const char* input, char* output, size_t offset, size_t n) {
    for (int peer = 0; peer < local_size_; ++peer) {
      const char* theirs = slot(peer, chunks_done_ + chunk) + (from + offset) * element;
      sources[static_cast<size_t>(peer)] = peer == local_rank_ ? input : theirs;
    }
    combine(work.type, work.reduction, result + offset * element, sources.data(), local_size_, n, work.scale);
    if (!work.inter_host) std::memcpy(output, result + offset * element, n * element);
  });
  if (!work.inter_host) return;
  work.inter_host(result, until - from);
  work.spans.each(begin + from, begin + until, [&](const char*, char* output, size_t offset, size_t n) {
    std::memcpy(output, result + offset * element, n * element);
  });
}

void SharedMemory::copy_out(const Work& work, size_t chunk) {
  const size_t begin = work.begin(chunk), element = work.spans.element_size();
  for (int peer = 0; peer < local_size_; ++peer) {
    if (peer == local_rank_) continue;
    const size_t from = work.share(chunk, peer);
    const char* results = slot(peer, chunks_done_ + chunk) + from * element;
    work.spans.each(begin + from, begin + work.share(chunk, peer + 1),
                    [&](const char*, char* output, size_t offset, size_t n) {
                      std::memcpy(output, results + offset * element, n * element);
                    });
  }
}

void SharedMemory::allreduce(const Spans& spans, int type, int reduction, double scale, const InterHost& inter_host) {
  const size_t length = slot_bytes_ / spans.element_size();
  const size_t chunks = (spans.count() + length - 1) / length;
  const Work work = {spans, type, reduction, scale, inter_host, length, chunks, local_size_};
  Progress& mine = progress(local_rank_);
  for (size_t step = 0; step < chunks + 2; ++step) {
    if (step < chunks) {
      const uint64_t number = chunks_done_ + step;
      if (number >= kSlots) wait_for_all(&Progress::finished, number - kSlots + 1);
      copy_in(work, step);
      mine.copied.store(number + 1, std::memory_order_release);
    }
    if (step >= 1 && step <= chunks) {
      const uint64_t number = chunks_done_ + step - 1;
      wait_for_all(&Progress::copied, number + 1);
      reduce(work, step - 1);
      mine.reduced.store(number + 1, std::memory_order_release);
    }
    if (step >= 2) {
      const uint64_t number = chunks_done_ + step - 2;
      wait_for_all(&Progress::reduced, number + 1);
      copy_out(work, step - 2);
      mine.finished.store(number + 1, std::memory_order_release);
    }
  }
  chunks_done_ += chunks;
}

// A rank that only reads reports all three steps at once, as nobody reads its slots.
void SharedMemory::broadcast(const Spans& spans, int root) {
  const size_t element = spans.element_size(), length = slot_bytes_ / element;
  Progress& mine = progress(local_rank_);
  for (size_t begin = 0; begin < spans.count(); begin += length, ++chunks_done_) {
    const size_t end = std::min(begin + length, spans.count());
    if (local_rank_ == root && chunks_done_ >= kSlots) wait_for_all(&Progress::finished, chunks_done_ - kSlots + 1);
    if (local_rank_ != root) wait_for(root, &Progress::copied, chunks_done_ + 1);
    char* chunk = slot(root, chunks_done_);
    spans.each(begin, end, [&](const char*, char* output, size_t offset, size_t n) {
      char* shared = chunk + offset * element;
      std::memcpy(local_rank_ == root ? shared : output, local_rank_ == root ? output : shared, n * element);
    });
    for (auto step : {&Progress::copied, &Progress::reduced, &Progress::finished}) {
      (mine.*step).store(chunks_done_ + 1, std::memory_order_release);
    }
  }
}

}  // namespace ddl

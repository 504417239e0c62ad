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
#include "collectives/waiting.h"

namespace ddl {
namespace {

const uint64_t kSlots = 4;               // of each rank: one being filled, one reduced, one read, one ahead
const size_t kSlotBytes = 512 * 1024;    // measured: benchmarks/allreduce.py; half a second-level cache and less
const size_t kMost = 32 * 1024 * 1024;   // bytes of all slots: half of what a container's /dev/shm has by default
const size_t kLine = 64;                 // bytes that processors share or do not

size_t slot_bytes_for(int members) {
  const size_t room = kMost / (kSlots * static_cast<size_t>(members));
  return std::max(kLine * static_cast<size_t>(members), std::min(kSlotBytes, room / kLine * kLine));
}

}  // namespace

// One collective: where each piece and each share begins, in elements.
struct SharedMemory::Work {
  const Spans& spans;
  int type, reduction;
  double scale;
  const Between& between;
  size_t piece_length, pieces;
  int members;

  size_t begin(size_t piece) const { return piece * piece_length; }
  size_t length(size_t piece) const { return std::min(piece_length, spans.count() - begin(piece)); }
  // Where a member's share of a piece begins: at a cache line, so that no two processors write to one.
  size_t share(size_t piece, int member) const {
    const size_t n = length(piece), per_line = kLine / spans.element_size();
    if (member == members) return n;
    return std::min(n, n * static_cast<size_t>(member) / static_cast<size_t>(members) / per_line * per_line);
  }
};

std::unique_ptr<SharedMemory> SharedMemory::open(MPI_Comm host) {
  std::unique_ptr<SharedMemory> shared(new SharedMemory());
  MPI_Comm_rank(host, &shared->member_);
  MPI_Comm_size(host, &shared->members_);
  shared->crowded_ = shared->members_ > sysconf(_SC_NPROCESSORS_ONLN);
  shared->slot_bytes_ = slot_bytes_for(shared->members_);
  const size_t members = static_cast<size_t>(shared->members_);
  const size_t head = (members * sizeof(Progress) + 4095) / 4096 * 4096;
  shared->bytes_ = head + members * kSlots * shared->slot_bytes_;
  char name[64];
  std::snprintf(name, sizeof name, "/ddl-%ld-%llx", static_cast<long>(getpid()),
                static_cast<unsigned long long>(now() * 1e9));
  MPI_Bcast(name, sizeof name, MPI_CHAR, 0, host);
  int file = -1, good = 1;
  if (shared->member_ == 0) {
    file = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
    // The room is taken now: later, writing to what is not there would be a bus error.
    good = file >= 0 && posix_fallocate(file, 0, static_cast<off_t>(shared->bytes_)) == 0;
  }
  MPI_Bcast(&good, 1, MPI_INT, 0, host);
  if (good && shared->member_ != 0) file = shm_open(name, O_RDWR, 0600);
  if (good && file >= 0) {
    void* memory = mmap(nullptr, shared->bytes_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, file, 0);
    if (memory != MAP_FAILED) shared->memory_ = static_cast<char*>(memory);
  }
  good = shared->memory_ != nullptr;
  MPI_Allreduce(MPI_IN_PLACE, &good, 1, MPI_INT, MPI_MIN, host);
  if (file >= 0) close(file);
  if (shared->member_ == 0) shm_unlink(name);  // all have it mapped: it goes with the last of them, however that ends
  if (!good) return nullptr;
  return shared;
}

SharedMemory::~SharedMemory() {
  if (memory_) munmap(memory_, bytes_);
}

char* SharedMemory::slot(int member, uint64_t piece) const {
  const size_t head = (static_cast<size_t>(members_) * sizeof(Progress) + 4095) / 4096 * 4096;
  const uint64_t index = static_cast<uint64_t>(member) * kSlots + piece % kSlots;
  return memory_ + head + index * slot_bytes_;
}

void SharedMemory::await(std::atomic<uint64_t> Progress::*step, uint64_t count) {
  for (int member = 0; member < members_; ++member) await_member(member, step, count);
}

void SharedMemory::await_member(int member, std::atomic<uint64_t> Progress::*step, uint64_t count) {
  const std::atomic<uint64_t>& state = progress(member).*step;
  if (state.load(std::memory_order_acquire) >= count) return;
  Patience patience;
  double since = 0;
  while (state.load(std::memory_order_acquire) < count) {
    patience.wait(crowded_);
    if (!stall_seconds || !patience.long_enough()) continue;
    const double time = now();
    if (since == 0) since = time;
    if (time - since > stall_seconds) {
      if (stalled) stalled(stall_seconds, member);
      since = time;
    }
  }
}

void SharedMemory::copy_in(const Work& work, size_t piece) {
  const size_t begin = work.begin(piece), element = work.spans.element_size();
  char* to = slot(member_, done_ + piece);
  const auto copy = [&](size_t from, size_t until) {
    work.spans.each(begin + from, begin + until, [&](const char* input, char*, size_t offset, size_t n) {
      std::memcpy(to + (from + offset) * element, input, n * element);
    });
  };
  copy(0, work.share(piece, member_));
  copy(work.share(piece, member_ + 1), work.length(piece));
}

void SharedMemory::reduce(const Work& work, size_t piece) {
  const size_t element = work.spans.element_size();
  const size_t from = work.share(piece, member_), until = work.share(piece, member_ + 1);
  if (from == until) return;
  char* result = slot(member_, done_ + piece) + from * element;
  std::vector<const void*> sources(static_cast<size_t>(members_));
  const size_t begin = work.begin(piece);
  work.spans.each(begin + from, begin + until, [&](const char* input, char* output, size_t offset, size_t n) {
    for (int member = 0; member < members_; ++member) {
      const char* theirs = slot(member, done_ + piece) + (from + offset) * element;
      sources[static_cast<size_t>(member)] = member == member_ ? input : theirs;
    }
    combine(work.type, work.reduction, result + offset * element, sources.data(), members_, n, work.scale);
    if (!work.between) std::memcpy(output, result + offset * element, n * element);
  });
  if (!work.between) return;
  work.between(result, until - from);
  work.spans.each(begin + from, begin + until, [&](const char*, char* output, size_t offset, size_t n) {
    std::memcpy(output, result + offset * element, n * element);
  });
}

void SharedMemory::copy_out(const Work& work, size_t piece) {
  const size_t begin = work.begin(piece), element = work.spans.element_size();
  for (int member = 0; member < members_; ++member) {
    if (member == member_) continue;
    const size_t from = work.share(piece, member);
    const char* results = slot(member, done_ + piece) + from * element;
    work.spans.each(begin + from, begin + work.share(piece, member + 1),
                    [&](const char*, char* output, size_t offset, size_t n) {
                      std::memcpy(output, results + offset * element, n * element);
                    });
  }
}

void SharedMemory::allreduce(const Spans& spans, int type, int reduction, double scale, const Between& between) {
  const size_t length = slot_bytes_ / spans.element_size();
  const size_t pieces = (spans.count() + length - 1) / length;
  const Work work = {spans, type, reduction, scale, between, length, pieces, members_};
  Progress& mine = progress(member_);
  for (size_t step = 0; step < pieces + 2; ++step) {
    if (step < pieces) {
      const uint64_t number = done_ + step;
      if (number >= kSlots) await(&Progress::finished, number - kSlots + 1);
      copy_in(work, step);
      mine.copied.store(number + 1, std::memory_order_release);
    }
    if (step >= 1 && step <= pieces) {
      const uint64_t number = done_ + step - 1;
      await(&Progress::copied, number + 1);
      reduce(work, step - 1);
      mine.reduced.store(number + 1, std::memory_order_release);
    }
    if (step >= 2) {
      const uint64_t number = done_ + step - 2;
      await(&Progress::reduced, number + 1);
      copy_out(work, step - 2);
      mine.finished.store(number + 1, std::memory_order_release);
    }
  }
  done_ += pieces;
}

// A member that only reads tells of all three steps at once: no one reads its slots.
void SharedMemory::broadcast(const Spans& spans, int root) {
  const size_t element = spans.element_size(), length = slot_bytes_ / element;
  Progress& mine = progress(member_);
  for (size_t begin = 0; begin < spans.count(); begin += length, ++done_) {
    const size_t end = std::min(begin + length, spans.count());
    if (member_ == root && done_ >= kSlots) await(&Progress::finished, done_ - kSlots + 1);
    if (member_ != root) await_member(root, &Progress::copied, done_ + 1);
    char* piece = slot(root, done_);
    spans.each(begin, end, [&](const char*, char* output, size_t offset, size_t n) {
      char* shared = piece + offset * element;
      std::memcpy(member_ == root ? shared : output, member_ == root ? output : shared, n * element);
    });
    for (auto step : {&Progress::copied, &Progress::reduced, &Progress::finished}) {
      (mine.*step).store(done_ + 1, std::memory_order_release);
    }
  }
}

}  // namespace ddl

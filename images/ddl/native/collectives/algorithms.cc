#include "collectives/algorithms.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <sstream>

#include "collectives/arithmetic.h"
#include "collectives/waiting.h"
#include "engine.h"

namespace ddl {
namespace {

const size_t kSmall = 16 * 1024;              // bytes up to which recursive doubling is taken in place of a ring
const size_t kStage = 4 * 1024 * 1024;        // bytes that are put together for a ring
const size_t kMostBroadcast = size_t(1) << 30;
const double kClearly = 0.5;                  // of the first way's time: what a busy machine's noise does not pretend
const size_t kExplored[] = {4 * 1024, 64 * 1024, 1024 * 1024, 8 * 1024 * 1024};

}  // namespace

Algorithms::Algorithms(const Mode& mode, const Topology& topology, SharedMemory::Stalled stalled)
    : mode_(mode), topology_(topology) {
  if (topology_.host != MPI_COMM_NULL && mode_.algorithm != 'r' && mode_.algorithm != 'm') {
    shared_ = SharedMemory::open(topology_.host);
    int everywhere = shared_ != nullptr;
    MPI_Allreduce(MPI_IN_PLACE, &everywhere, 1, MPI_INT, MPI_MIN, topology_.world);
    if (!everywhere) {
      shared_.reset();
      remark_ = "/dev/shm has no room on some host: no hierarchy, tensors travel by MPI alone";
    } else {
      find_places();
      shared_->stalled = stalled;
      shared_->stall_seconds = mode_.stall_seconds;
    }
  } else if (topology_.host == MPI_COMM_NULL && mode_.algorithm == 'b') {
    remark_ = "hosts have different numbers of ranks: no hierarchy, a ring is taken";
  }
  if (mode_.algorithm == 'm') {
    choices_ = {{SIZE_MAX, kMpi}};
  } else if (mode_.algorithm == 'p' && topology_.size > 1) {
    explore();
  } else if (shared_) {
    choices_ = {{SIZE_MAX, kHierarchical}};
  } else {
    choices_ = {{kSmall, kDoubling}, {SIZE_MAX, kRing}};
  }
}

void Algorithms::set_stall_seconds(double seconds) {
  if (shared_) shared_->stall_seconds = seconds;
}

Algorithms::Way Algorithms::way(size_t bytes) const {
  for (const Choice& choice : choices_) {
    if (bytes <= choice.up_to) return choice.way;
  }
  return kMpi;
}

const char* Algorithms::name(size_t bytes) const {
  static const char* const names[] = {"hierarchical", "ring", "doubling", "mpi"};
  return names[way(bytes)];
}

void Algorithms::allreduce(const Spans& spans, int type, int reduction) {
  if (spans.count() == 0) return;
  run(way(spans.bytes()), spans, type, reduction);
}

void Algorithms::run(Way way, const Spans& spans, int type, int reduction) {
  const double scale = reduction == DDL_AVERAGE ? 1.0 / topology_.size : 1.0;
  if (way == kHierarchical) {
    hierarchical(spans, type, reduction, scale);
  } else if (way == kMpi && spans.single()) {
    mpi_whole(spans, type, reduction, scale);
  } else {
    staged(way, spans, type, reduction, scale);
  }
}

void Algorithms::hierarchical(const Spans& spans, int type, int reduction, double scale) {
  SharedMemory::Between between;
  if (!topology_.between.empty()) {
    between = [this, type, reduction](char* data, size_t n) { this->between(data, n, type, reduction); };
  }
  shared_->allreduce(spans, type, reduction, scale, between);
}

// Between hosts fp32 may travel in 16 bits. What comes out is the same on all of them, as all widen the same bits.
void Algorithms::between(char* data, size_t n, int type, int reduction) {
  if (type != DDL_FLOAT32 || mode_.wire < 0) {
    wire_.by_dimensions(data, n, type, reduction, topology_.between);
    return;
  }
  char* narrowed = narrow_.of(n * size_of(mode_.wire));
  narrow(mode_.wire, reinterpret_cast<const float*>(data), narrowed, n);
  wire_.by_dimensions(narrowed, n, mode_.wire, reduction, topology_.between);
  widen(mode_.wire, narrowed, reinterpret_cast<float*>(data), n);
}

// Tensors are put together in a buffer that is kept, a stretch at a time.
void Algorithms::staged(Way way, const Spans& spans, int type, int reduction, double scale) {
  const size_t element = spans.element_size(), most = kStage / element;
  for (size_t begin = 0; begin < spans.count(); begin += most) {
    const size_t n = std::min(most, spans.count() - begin);
    char* stage = staging_.of(n * element);
    spans.each(begin, begin + n, [&](const char* input, char*, size_t offset, size_t count) {
      const void* source = input;
      combine(type, reduction, stage + offset * element, &source, 1, count, scale);
    });
    if (way == kMpi) wire_.by_mpi(stage, n, type, reduction, topology_.world);
    else if (way == kDoubling) wire_.by_doubling(stage, n, type, reduction, topology_.world);
    else wire_.by_ring(stage, n, type, reduction, topology_.world);
    spans.each(begin, begin + n, [&](const char*, char* output, size_t offset, size_t count) {
      std::memcpy(output, stage + offset * element, count * element);
    });
  }
}

// A single tensor needs no other buffer than its own.
void Algorithms::mpi_whole(const Spans& spans, int type, int reduction, double scale) {
  const void* input = spans.input();
  char* output = static_cast<char*>(spans.output());
  if (scale != 1) combine(type, reduction, output, &input, 1, spans.count(), scale);
  else if (input != output) std::memcpy(output, input, spans.bytes());
  wire_.by_mpi(output, spans.count(), type, reduction, topology_.world);
}

// Between hosts, from the outmost dimension inwards, it goes over those with the root's place in their hosts, and only then
// within each host. All is done in the outputs, where the root's values are put first.
void Algorithms::broadcast(const Spans& spans, int root) {
  if (spans.count() == 0) return;
  if (topology_.rank == root) {
    spans.each(0, spans.count(), [&](const char* input, char* output, size_t, size_t n) {
      if (input != output) std::memcpy(output, input, n * spans.element_size());
    });
  }
  if (!shared_) {
    send(spans, root, topology_.world);
    return;
  }
  const std::vector<int>& here = places_[static_cast<size_t>(topology_.rank)];
  const std::vector<int>& there = places_[static_cast<size_t>(root)];
  for (size_t level = topology_.between.size(); level > 0; --level) {
    const bool takes_part = std::equal(here.begin(), here.begin() + static_cast<std::ptrdiff_t>(level), there.begin());
    if (takes_part) send(spans, there[level], topology_.between[level - 1]);
  }
  shared_->broadcast(spans, there[0]);
}

// By MPI. Small tensors are put together, a stretch at a time.
void Algorithms::send(const Spans& spans, int root, MPI_Comm comm) {
  int mine = 0;
  MPI_Comm_rank(comm, &mine);
  const size_t element = spans.element_size(), most = (spans.single() ? kMostBroadcast : kStage) / element;
  for (size_t begin = 0; begin < spans.count(); begin += most) {
    const size_t n = std::min(most, spans.count() - begin);
    char* data = spans.single() ? static_cast<char*>(spans.output()) + begin * element : staging_.of(n * element);
    const auto copy = [&](bool in) {
      if (spans.single()) return;
      spans.each(begin, begin + n, [&](const char*, char* output, size_t offset, size_t count) {
        char* staged = data + offset * element;
        std::memcpy(in ? staged : output, in ? output : staged, count * element);
      });
    };
    if (mine == root) copy(true);
    MPI_Bcast(data, static_cast<int>(n * element), MPI_BYTE, root, comm);
    if (mine != root) copy(false);
  }
}

void Algorithms::find_places() {
  std::vector<int> mine(1 + topology_.between.size());
  MPI_Comm_rank(topology_.host, &mine[0]);
  for (size_t level = 0; level < topology_.between.size(); ++level) MPI_Comm_rank(topology_.between[level], &mine[level + 1]);
  const int n = static_cast<int>(mine.size());
  std::vector<int> all(mine.size() * static_cast<size_t>(topology_.size));
  MPI_Allgather(mine.data(), n, MPI_INT, all.data(), n, MPI_INT, topology_.world);
  for (auto at = all.begin(); at != all.end(); at += n) places_.emplace_back(at, at + n);
}

// The best of several, as its slowest rank had it: a neighbour may disturb some of them. False, on all ranks, where one of
// them found the time to be up.
bool Algorithms::measure(Way way, size_t bytes, double until, double* best) {
  std::vector<float> values(bytes / sizeof(float), 1.0f);
  Spans spans(sizeof(float));
  spans.add(values.data(), values.data(), values.size());
  *best = 1e30;
  for (int attempt = 0; attempt < 6; ++attempt) {
    MPI_Barrier(topology_.world);
    const double begin = now();
    run(way, spans, DDL_FLOAT32, DDL_MAX);
    const double end = now();
    double took[2] = {end - begin, end - until};
    MPI_Allreduce(MPI_IN_PLACE, took, 2, MPI_DOUBLE, MPI_MAX, topology_.world);
    if (took[1] > 0) return false;
    if (attempt > 0) *best = std::min(*best, took[0]);  // the first touches memory for the first time
  }
  return true;
}

// On a busy machine one attempt may take seconds: when the time is up, the rest goes by what is the best for reasons.
void Algorithms::explore() {
  const double until = now() + mode_.explore_seconds;
  bool in_time = true;
  for (size_t bytes : kExplored) {
    std::vector<Way> ways;
    if (shared_) ways.push_back(kHierarchical);
    ways.push_back(bytes <= kSmall ? kDoubling : kRing);
    ways.push_back(kMpi);
    // The first is the one for reasons: another must be clearly better.
    Choice best = {bytes, ways[0]};
    double least = 0, took = 0;
    for (size_t way = 0; in_time && way < ways.size(); ++way) {
      in_time = measure(ways[way], bytes, until, &took);
      if (way == 0) {
        least = kClearly * took;
      } else if (in_time && took < least) {
        least = took;
        best.way = ways[way];
      }
    }
    choices_.push_back(best);
  }
  choices_.back().up_to = SIZE_MAX;
  if (!in_time) {
    std::ostringstream words;
    words << "-mode p: measuring was ended after " << mode_.explore_seconds << " s; what was not measured goes as by b";
    remark_ += (remark_.empty() ? "" : "; ") + words.str();
  }
}

}  // namespace ddl

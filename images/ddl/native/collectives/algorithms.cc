#include "collectives/algorithms.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <sstream>

#include "collectives/arithmetic.h"
#include "collectives/backoff.h"
#include "engine.h"

namespace ddl {
namespace {

const size_t kSmallBytes = 16 * 1024;               // bytes up to which recursive doubling is used rather than a ring
const size_t kFusionBufferBytes = 4 * 1024 * 1024;  // size of the fusion buffer for rings
const size_t kMaxBroadcastBytes = size_t(1) << 30;
const double kMaxTimeRatio = 0.5;  // of the default's time: beyond the noise of a busy machine
const size_t kExplored[] = {4 * 1024, 64 * 1024, 1024 * 1024, 8 * 1024 * 1024};

}  // namespace

Algorithms::Algorithms(const Mode& mode, const Topology& topology, SharedMemory::Stalled stalled)
    : mode_(mode), topology_(topology) {
  if (topology_.host != MPI_COMM_NULL && mode_.algorithm != 'r' && mode_.algorithm != 'm') {
    shared_ = SharedMemory::open(topology_.host);
    int opened = shared_ != nullptr;
    MPI_Allreduce(MPI_IN_PLACE, &opened, 1, MPI_INT, MPI_MIN, topology_.world);
    if (!opened) {
      shared_.reset();
      warning_ = "/dev/shm is too small on some host: no hierarchy, all tensors are sent over MPI";
    } else {
      gather_coordinates();
      shared_->stalled = stalled;
      shared_->stall_seconds = mode_.stall_seconds;
    }
  } else if (topology_.host == MPI_COMM_NULL && mode_.algorithm == 'b') {
    warning_ = "hosts have different numbers of ranks: no hierarchy, using a ring";
  }
  if (mode_.algorithm == 'm') {
    choices_ = {{SIZE_MAX, kMpi}};
  } else if (mode_.algorithm == 'p' && topology_.size > 1) {
    explore();
  } else if (shared_) {
    choices_ = {{SIZE_MAX, kHierarchical}};
  } else {
    choices_ = {{kSmallBytes, kDoubling}, {SIZE_MAX, kRing}};
  }
}

void Algorithms::set_stall_seconds(double seconds) {
  if (shared_) shared_->stall_seconds = seconds;
}

Algorithms::Algorithm Algorithms::select(size_t bytes) const {
  for (const Choice& choice : choices_) {
    if (bytes <= choice.up_to) return choice.algorithm;
  }
  return kMpi;
}

const char* Algorithms::name(size_t bytes) const {
  static const char* const names[] = {"hierarchical", "ring", "doubling", "mpi"};
  return names[select(bytes)];
}

void Algorithms::allreduce(const Spans& spans, int type, int reduction) {
  if (spans.count() == 0) return;
  run(select(spans.bytes()), spans, type, reduction);
}

void Algorithms::run(Algorithm algorithm, const Spans& spans, int type, int reduction) {
  const double scale = reduction == DDL_AVERAGE ? 1.0 / topology_.size : 1.0;
  if (algorithm == kHierarchical) {
    hierarchical(spans, type, reduction, scale);
  } else if (algorithm == kMpi && spans.single()) {
    mpi_unfused(spans, type, reduction, scale);
  } else {
    fused(algorithm, spans, type, reduction, scale);
  }
}

void Algorithms::hierarchical(const Spans& spans, int type, int reduction, double scale) {
  SharedMemory::InterHost inter_host;
  if (!topology_.inter_host.empty()) {
    inter_host = [this, type, reduction](char* data, size_t n) { this->inter_host(data, n, type, reduction); };
  }
  shared_->allreduce(spans, type, reduction, scale, inter_host);
}

// fp32 may be sent between hosts in 16 bits. The result is the same on all of them, as all widen the same bits.
void Algorithms::inter_host(char* data, size_t n, int type, int reduction) {
  if (type != DDL_FLOAT32 || mode_.wire < 0) {
    mpi_.multi_dimensional(data, n, type, reduction, topology_.inter_host);
    return;
  }
  char* narrowed = narrow_.of(n * size_of(mode_.wire));
  narrow(mode_.wire, reinterpret_cast<const float*>(data), narrowed, n);
  mpi_.multi_dimensional(narrowed, n, mode_.wire, reduction, topology_.inter_host);
  widen(mode_.wire, narrowed, reinterpret_cast<float*>(data), n);
}

// Copies tensors through the fusion buffer, one part at a time.
void Algorithms::fused(Algorithm algorithm, const Spans& spans, int type, int reduction, double scale) {
  const size_t element = spans.element_size(), max_count = kFusionBufferBytes / element;
  for (size_t begin = 0; begin < spans.count(); begin += max_count) {
    const size_t n = std::min(max_count, spans.count() - begin);
    char* fused = fusion_buffer_.of(n * element);
    spans.each(begin, begin + n, [&](const char* input, char*, size_t offset, size_t count) {
      const void* source = input;
      combine(type, reduction, fused + offset * element, &source, 1, count, scale);
    });
    if (algorithm == kMpi) mpi_.mpi_allreduce(fused, n, type, reduction, topology_.world);
    else if (algorithm == kDoubling) mpi_.recursive_doubling(fused, n, type, reduction, topology_.world);
    else mpi_.ring_allreduce(fused, n, type, reduction, topology_.world);
    spans.each(begin, begin + n, [&](const char*, char* output, size_t offset, size_t count) {
      std::memcpy(output, fused + offset * element, count * element);
    });
  }
}

// A single tensor needs no fusion buffer.
void Algorithms::mpi_unfused(const Spans& spans, int type, int reduction, double scale) {
  const void* input = spans.input();
  char* output = static_cast<char*>(spans.output());
  if (scale != 1) combine(type, reduction, output, &input, 1, spans.count(), scale);
  else if (input != output) std::memcpy(output, input, spans.bytes());
  mpi_.mpi_allreduce(output, spans.count(), type, reduction, topology_.world);
}

// From the outermost dimension inwards, first between the ranks with the root's local rank, then within each host.
// Works in the outputs, into which the root copies its values first.
void Algorithms::broadcast(const Spans& spans, int root) {
  if (spans.count() == 0) return;
  if (topology_.rank == root) {
    spans.each(0, spans.count(), [&](const char* input, char* output, size_t, size_t n) {
      if (input != output) std::memcpy(output, input, n * spans.element_size());
    });
  }
  if (!shared_) {
    mpi_broadcast(spans, root, topology_.world);
    return;
  }
  const std::vector<int>& here = coordinates_[static_cast<size_t>(topology_.rank)];
  const std::vector<int>& there = coordinates_[static_cast<size_t>(root)];
  for (size_t level = topology_.inter_host.size(); level > 0; --level) {
    const bool takes_part = std::equal(here.begin(), here.begin() + static_cast<std::ptrdiff_t>(level), there.begin());
    if (takes_part) mpi_broadcast(spans, there[level], topology_.inter_host[level - 1]);
  }
  shared_->broadcast(spans, there[0]);
}

// MPI_Bcast. Small tensors are fused, one buffer at a time.
void Algorithms::mpi_broadcast(const Spans& spans, int root, MPI_Comm comm) {
  int mine = 0;
  MPI_Comm_rank(comm, &mine);
  const size_t element = spans.element_size();
  const size_t max_count = (spans.single() ? kMaxBroadcastBytes : kFusionBufferBytes) / element;
  for (size_t begin = 0; begin < spans.count(); begin += max_count) {
    const size_t n = std::min(max_count, spans.count() - begin);
    char* data = spans.single() ? static_cast<char*>(spans.output()) + begin * element : fusion_buffer_.of(n * element);
    const auto copy = [&](bool in) {
      if (spans.single()) return;
      spans.each(begin, begin + n, [&](const char*, char* output, size_t offset, size_t count) {
        char* fused = data + offset * element;
        std::memcpy(in ? fused : output, in ? output : fused, count * element);
      });
    };
    if (mine == root) copy(true);
    MPI_Bcast(data, static_cast<int>(n * element), MPI_BYTE, root, comm);
    if (mine != root) copy(false);
  }
}

void Algorithms::gather_coordinates() {
  std::vector<int> mine(1 + topology_.inter_host.size());
  MPI_Comm_rank(topology_.host, &mine[0]);
  for (size_t level = 0; level < topology_.inter_host.size(); ++level) {
    MPI_Comm_rank(topology_.inter_host[level], &mine[level + 1]);
  }
  const int n = static_cast<int>(mine.size());
  std::vector<int> all(mine.size() * static_cast<size_t>(topology_.size));
  MPI_Allgather(mine.data(), n, MPI_INT, all.data(), n, MPI_INT, topology_.world);
  for (auto at = all.begin(); at != all.end(); at += n) coordinates_.emplace_back(at, at + n);
}

// The best of several attempts, each timed by its slowest rank, as other processes may disturb some of them. False, on
// all ranks, if any of them ran out of time.
bool Algorithms::measure(Algorithm algorithm, size_t bytes, double until, double* best) {
  std::vector<float> values(bytes / sizeof(float), 1.0f);
  Spans spans(sizeof(float));
  spans.add(values.data(), values.data(), values.size());
  *best = 1e30;
  for (int attempt = 0; attempt < 6; ++attempt) {
    MPI_Barrier(topology_.world);
    const double begin = now();
    run(algorithm, spans, DDL_FLOAT32, DDL_MAX);
    const double end = now();
    double elapsed[2] = {end - begin, end - until};
    MPI_Allreduce(MPI_IN_PLACE, elapsed, 2, MPI_DOUBLE, MPI_MAX, topology_.world);
    if (elapsed[1] > 0) return false;
    if (attempt > 0) *best = std::min(*best, elapsed[0]);  // the first includes page faults
  }
  return true;
}

// On a busy machine one attempt may take seconds. When time is up, the remaining sizes use the default.
void Algorithms::explore() {
  const double until = now() + mode_.explore_seconds;
  bool in_time = true;
  for (size_t bytes : kExplored) {
    std::vector<Algorithm> candidates;
    if (shared_) candidates.push_back(kHierarchical);
    candidates.push_back(bytes <= kSmallBytes ? kDoubling : kRing);
    candidates.push_back(kMpi);
    // The first is the default: another one must be clearly faster.
    Choice best = {bytes, candidates[0]};
    double threshold = 0, elapsed = 0;
    for (size_t index = 0; in_time && index < candidates.size(); ++index) {
      in_time = measure(candidates[index], bytes, until, &elapsed);
      if (index == 0) {
        threshold = kMaxTimeRatio * elapsed;
      } else if (in_time && elapsed < threshold) {
        threshold = elapsed;
        best.algorithm = candidates[index];
      }
    }
    choices_.push_back(best);
  }
  choices_.back().up_to = SIZE_MAX;
  if (!in_time) {
    std::ostringstream message;
    message << "-mode p: measurements were stopped after " << mode_.explore_seconds << " s; unmeasured sizes use b";
    warning_ += (warning_.empty() ? "" : "; ") + message.str();
  }
}

}  // namespace ddl

#include "engine/communicator.h"

#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <utility>

#include "collectives/arithmetic.h"
#include "collectives/backoff.h"

namespace ddl {
namespace {

// How the thread polls for messages while something is pending: it spins first, then yields, then sleeps between polls.
// Spinning covers the usual skew between ranks that do the same work; sleeping costs a training less than 1 %.
const unsigned kSpins = 300, kYields = 2000, kYieldsOversubscribed = 100;
const std::chrono::microseconds kSleep(50);
const std::chrono::milliseconds kCoordinatorSleep(20);  // idle: rank 0 must notice ranks that wait or shut down

int on_mpi_finalize(MPI_Comm, int, void*, void*) {
  ddl_shutdown();
  return MPI_SUCCESS;
}

// If someone else finalises MPI, attributes of MPI_COMM_SELF are deleted first: the point at which to shut down.
void shut_down_at_mpi_finalize() {
  int key;
  MPI_Comm_create_keyval(MPI_COMM_NULL_COPY_FN, &on_mpi_finalize, &key, nullptr);
  MPI_Comm_set_attr(MPI_COMM_SELF, key, nullptr);
}

}  // namespace

Communicator::Communicator(const std::string& options, int local_rank, std::string* error) : local_rank_(local_rank) {
  thread_ = std::thread(&Communicator::run, this, options, error);
  std::unique_lock<std::mutex> lock(mutex_);
  while (!ready_) changed_.wait(lock);
}

Communicator::~Communicator() {
  if (thread_.joinable()) thread_.join();
}

bool Communicator::submit(Request&& request) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (closed_ || shutting_down_) return false;
  // Their order then depends on thread scheduling and may differ between ranks.
  if (request.shares_name && ++in_flight_[request.name] > 1) {
    request.signature =
        with_origin(request.signature, "several threads at once on rank " + std::to_string(topology_.rank));
  }
  request.since = now();
  if (request.kind == DDL_ALLREDUCE && !is_guard_collective(request.name)) ++reductions_;
  ++unfinished_;
  submitted_.push_back(std::move(request));
  if (asleep_) changed_.notify_all();
  return true;
}

bool Communicator::close(double seconds) {
  std::unique_lock<std::mutex> lock(mutex_);
  closed_ = true;
  return changed_.wait_for(lock, std::chrono::duration<double>(seconds), [this] { return unfinished_ == 0; });
}

void Communicator::shut_down() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    shutting_down_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void Communicator::set_stall_seconds(double seconds) {
  std::lock_guard<std::mutex> lock(mutex_);
  stall_seconds_ = seconds;
}

void Communicator::set_guard_steps(const std::string& name, int64_t steps) {
  std::lock_guard<std::mutex> lock(mutex_);
  guard_steps_[name] = steps;
}

int64_t Communicator::reductions() {
  std::lock_guard<std::mutex> lock(mutex_);
  return reductions_;
}

ddl_counters Communicator::counters() {
  std::lock_guard<std::mutex> lock(mutex_);
  return counters_;
}

void Communicator::run(const std::string& options, std::string* error) {
  prctl(PR_SET_NAME, "ddl");
  prctl(PR_SET_TIMERSLACK, 1000UL);  // nanoseconds: so that short sleeps stay short
  const bool initialized = begin(options, error);
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stall_seconds_ = mode_.stall_seconds;
    ready_ = true;
    changed_.notify_all();
  }
  if (initialized) serve();
  finalize();
}

bool Communicator::begin(const std::string& options, std::string* error) {
  topology_ = discover_topology(options, &mode_, &initialized_mpi_, error);
  if (!error->empty()) return false;
  oversubscribed_ = topology_.local_size > sysconf(_SC_NPROCESSORS_ONLN);
  negotiation_.reset(new Negotiation(topology_.control));
  const int rank = topology_.rank;
  algorithms_.reset(new Algorithms(mode_, topology_, [rank](double seconds, int member) {
    std::fprintf(stderr, "ddl: rank %d has waited %.0f s in a reduction for local rank %d of its host\n", rank, seconds,
                 member);
  }));
  gpu_.reset(new Gpu(mode_, topology_, local_rank_));
  if (!initialized_mpi_) shut_down_at_mpi_finalize();
  if (rank != 0) return true;
  for (const std::string& warning : mode_.warnings) std::fprintf(stderr, "ddl: %s\n", warning.c_str());
  for (const std::string& warning : {algorithms_->warning(), gpu_->warning()}) {
    if (!warning.empty()) std::fprintf(stderr, "ddl: %s\n", warning.c_str());
  }
  return true;
}

void Communicator::serve() {
  std::vector<Response> responses;
  unsigned idle_rounds = 0;
  while (!negotiation_->all_shut_down() || gpu_->in_flight()) {
    const bool progressed = drain_queue() | complete_launched();
    responses.clear();
    const bool messages = negotiation_->poll(&responses);
    if (!responses.empty()) execute(responses);
    if (progressed || messages) {
      idle_rounds = 0;
    } else {
      idle(++idle_rounds);
    }
  }
}

bool Communicator::drain_queue() {
  std::vector<Request> taken;
  bool shut_down = false;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    taken.swap(submitted_);
    for (const Request& request : taken) {
      const auto steps = guard_steps_.find(request.name);
      if (steps == guard_steps_.end()) continue;
      negotiation_->report_guard_steps(steps->second);
      guard_steps_.erase(steps);
    }
    shut_down = shutting_down_ && !sent_shutdown_;
    if (negotiation_->stall_seconds != stall_seconds_) {
      negotiation_->stall_seconds = stall_seconds_;
      algorithms_->set_stall_seconds(stall_seconds_);
    }
  }
  for (Request& request : taken) negotiate(std::move(request));
  if (shut_down) {
    sent_shutdown_ = true;
    negotiation_->shut_down();
  }
  return shut_down || !taken.empty();
}

void Communicator::negotiate(Request&& request) {
  std::deque<Request>& same = pending_[request.name];
  if (same.empty()) negotiation_->request(request.name, request.signature);
  same.push_back(std::move(request));
}

// Removes the first request of this name, and negotiates the next one.
Request Communicator::pop_pending(const std::string& name) {
  const auto found = pending_.find(name);
  Request request = std::move(found->second.front());
  found->second.pop_front();
  if (found->second.empty()) {
    pending_.erase(found);
  } else {
    negotiation_->request(name, found->second.front().signature);
  }
  return request;
}

void Communicator::execute(const std::vector<Response>& responses) {
  Batch batch, for_nccl;
  double wait_seconds = 0;
  const double begin = now();
  for (const Response& response : responses) {
    if (!pending_.count(response.name)) continue;  // failed on all ranks before this rank submitted it
    Request request = pop_pending(response.name);
    if (response.code == DDL_OK) {
      wait_seconds = std::max(wait_seconds, begin - request.since);
      (request.on_gpu && gpu_->uses_nccl() ? for_nccl : batch).push_back(std::move(request));
    } else {
      complete(request, response.code, response.message);
    }
  }
  if (!for_nccl.empty()) gpu_->launch(std::move(for_nccl), wait_seconds);
  if (batch.empty()) return;
  gpu_->copy_to_host(&batch);
  run_collectives(batch);
  gpu_->copy_to_gpu();
  finish(batch, wait_seconds, now() - begin);
}

// Completes what NCCL has finished. Meanwhile this thread negotiates, and executes collectives on host memory.
bool Communicator::complete_launched() {
  Gpu::Launched completed;
  if (!gpu_->complete_next(negotiation_->stall_seconds, &completed)) return false;
  finish(completed.batch, completed.waited, now() - completed.since);
  return true;
}

void Communicator::finish(const Batch& batch, double wait_seconds, double transfer_seconds) {
  int64_t bytes = 0, user_collectives = 0;
  for (const Request& request : batch) {
    if (!is_guard_collective(request.name)) ++user_collectives;
    for (const Request::Tensor& tensor : request.tensors) {
      bytes += static_cast<int64_t>(tensor.count * size_of(tensor.type));
    }
  }
  {
    std::lock_guard<std::mutex> lock(mutex_);
    counters_.collectives += user_collectives;
    counters_.batches += 1;
    counters_.bytes += bytes;
    counters_.seconds_negotiating += wait_seconds;
    counters_.seconds_transferring += transfer_seconds;
  }
  for (const Request& request : batch) complete(request, DDL_OK, "");
}

// No longer in flight before the callback runs, as the caller may then submit the next one of this name.
void Communicator::complete(const Request& request, int code, const std::string& message) {
  if (request.shares_name) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (--in_flight_[request.name] == 0) in_flight_.erase(request.name);
  }
  request.done(request.context, code, message.c_str());
  std::lock_guard<std::mutex> lock(mutex_);
  if (--unfinished_ == 0 && closed_) changed_.notify_all();
}

// Fuses tensors of the same kind, type and reduction, in submission order.
void Communicator::run_collectives(const Batch& batch) {
  struct FusedGroup {
    int kind, op_or_root, type;
    Spans spans;
  };
  std::vector<FusedGroup> groups;
  for (const Request& request : batch) {
    for (const Request::Tensor& tensor : request.tensors) {
      FusedGroup* found = nullptr;
      for (FusedGroup& group : groups) {
        const bool same_op = group.kind == request.kind && group.op_or_root == request.op_or_root;
        if (same_op && group.type == tensor.type) found = &group;
      }
      if (!found) {
        groups.push_back({request.kind, request.op_or_root, tensor.type, Spans(size_of(tensor.type))});
        found = &groups.back();
      }
      found->spans.add(tensor.input, tensor.output, tensor.count);
    }
  }
  for (const FusedGroup& group : groups) {
    if (group.kind == DDL_BROADCAST) {
      algorithms_->broadcast(group.spans, group.op_or_root);
    } else {
      algorithms_->allreduce(group.spans, group.type, group.op_or_root);
    }
  }
}

void Communicator::idle(unsigned idle_rounds) {
  const bool waits = !pending_.empty() || sent_shutdown_ || gpu_->in_flight();
  if (waits && idle_rounds < kSpins && !oversubscribed_) {
    cpu_relax();
    return;
  }
  if (waits && idle_rounds < (oversubscribed_ ? kYieldsOversubscribed : kYields)) {
    sched_yield();
    return;
  }
  std::unique_lock<std::mutex> lock(mutex_);
  if (!submitted_.empty() || (shutting_down_ && !sent_shutdown_)) return;
  asleep_ = true;
  if (waits) {
    changed_.wait_for(lock, kSleep);
  } else if (topology_.rank == 0 && topology_.size > 1) {
    changed_.wait_for(lock, kCoordinatorSleep);
  } else {
    changed_.wait(lock);
  }
  asleep_ = false;
}

// Requests submitted while all ranks were shutting down can no longer be negotiated.
void Communicator::finalize() {
  std::vector<Request> rest;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    shutting_down_ = true;
    rest.swap(submitted_);
  }
  for (auto& each : pending_) {
    for (Request& request : each.second) rest.push_back(std::move(request));
  }
  pending_.clear();
  for (const Request& request : rest) complete(request, DDL_SHUT_DOWN, request.name + ": this rank has shut down");
  if (gpu_ && !process_exiting_) gpu_->disconnect();
  negotiation_.reset();
  algorithms_.reset();
  free_topology(&topology_);
  if (initialized_mpi_) MPI_Finalize();
}

}  // namespace ddl

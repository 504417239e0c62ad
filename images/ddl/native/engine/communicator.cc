#include "engine/communicator.h"

#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <utility>

#include "collectives/arithmetic.h"
#include "collectives/waiting.h"

namespace ddl {
namespace {

// How the thread looks for messages while something waits: on the processor at first, then politely, then asleep in between. The first
// covers the time in which ranks that do the same come to the same point; the last costs a training less than 1 %.
const unsigned kSpins = 300, kYields = 2000, kYieldsInACrowd = 100;
const std::chrono::microseconds kNap(50);
const std::chrono::milliseconds kRootNap(20);  // with nothing of its own: rank 0 still hears of ranks that wait or leave

int when_mpi_ends(MPI_Comm, int, void*, void*) {
  ddl_shutdown();
  return MPI_SUCCESS;
}

// Where someone else finalises MPI, it first deletes what is attached to MPI_COMM_SELF: the moment to leave.
void leave_before_mpi() {
  int key;
  MPI_Comm_create_keyval(MPI_COMM_NULL_COPY_FN, &when_mpi_ends, &key, nullptr);
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
  if (closed_ || leaving_) return false;
  // Which of two is the first is then a matter of luck, on each rank its own.
  if (request.shares_name && ++in_flight_[request.name] > 1) {
    request.signature =
        with_origin(request.signature, "several threads at once on rank " + std::to_string(topology_.rank));
  }
  request.since = now();
  if (request.kind == DDL_ALLREDUCE && !is_guards(request.name)) ++reductions_;
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

void Communicator::leave() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    leaving_ = true;
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
  prctl(PR_SET_TIMERSLACK, 1000UL);  // nanoseconds: short naps shall be short
  const bool good = begin(options, error);
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stall_seconds_ = mode_.stall_seconds;
    ready_ = true;
    changed_.notify_all();
  }
  if (good) serve();
  end();
}

bool Communicator::begin(const std::string& options, std::string* error) {
  topology_ = find_topology(options, &mode_, &began_mpi_, error);
  if (!error->empty()) return false;
  crowded_ = topology_.local_size > sysconf(_SC_NPROCESSORS_ONLN);
  agreement_.reset(new Agreement(topology_.control));
  const int rank = topology_.rank;
  algorithms_.reset(new Algorithms(mode_, topology_, [rank](double seconds, int member) {
    std::fprintf(stderr, "ddl: rank %d has waited %.0f s within a reduction for number %d of its host\n", rank, seconds,
                 member);
  }));
  gpu_.reset(new Gpu(mode_, topology_, local_rank_));
  if (!began_mpi_) leave_before_mpi();
  if (rank != 0) return true;
  for (const std::string& remark : mode_.remarks) std::fprintf(stderr, "ddl: %s\n", remark.c_str());
  for (const std::string& remark : {algorithms_->remark(), gpu_->remark()}) {
    if (!remark.empty()) std::fprintf(stderr, "ddl: %s\n", remark.c_str());
  }
  return true;
}

void Communicator::serve() {
  std::vector<Order> orders;
  unsigned idle = 0;
  while (!agreement_->all_left() || gpu_->under_way()) {
    const bool news = take_submissions() | land_launched();
    orders.clear();
    const bool messages = agreement_->poll(&orders);
    if (!orders.empty()) carry_out(orders);
    if (news || messages) {
      idle = 0;
    } else {
      rest(++idle);
    }
  }
}

bool Communicator::take_submissions() {
  std::vector<Request> taken;
  bool leave = false;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    taken.swap(submitted_);
    for (const Request& request : taken) {
      const auto steps = guard_steps_.find(request.name);
      if (steps == guard_steps_.end()) continue;
      agreement_->tell_steps(steps->second);
      guard_steps_.erase(steps);
    }
    leave = leaving_ && !told_leaving_;
    if (agreement_->stall_seconds != stall_seconds_) {
      agreement_->stall_seconds = stall_seconds_;
      algorithms_->set_stall_seconds(stall_seconds_);
    }
  }
  for (Request& request : taken) announce(std::move(request));
  if (leave) {
    told_leaving_ = true;
    agreement_->leave();
  }
  return leave || !taken.empty();
}

void Communicator::announce(Request&& request) {
  std::deque<Request>& same = pending_[request.name];
  if (same.empty()) agreement_->announce(request.name, request.signature);
  same.push_back(std::move(request));
}

// The first of its name; the next one's turn has come.
Request Communicator::take_pending(const std::string& name) {
  const auto found = pending_.find(name);
  Request request = std::move(found->second.front());
  found->second.pop_front();
  if (found->second.empty()) {
    pending_.erase(found);
  } else {
    agreement_->announce(name, found->second.front().signature);
  }
  return request;
}

void Communicator::carry_out(const std::vector<Order>& orders) {
  Batch batch, for_nccl;
  double waited = 0;
  const double begin = now();
  for (const Order& order : orders) {
    if (!pending_.count(order.name)) continue;  // it failed for all, and this rank had not come to it
    Request request = take_pending(order.name);
    if (order.code == DDL_OK) {
      waited = std::max(waited, begin - request.since);
      (request.on_gpu && gpu_->by_nccl() ? for_nccl : batch).push_back(std::move(request));
    } else {
      answer(request, order.code, order.words);
    }
  }
  if (!for_nccl.empty()) gpu_->launch(std::move(for_nccl), waited);
  if (batch.empty()) return;
  gpu_->fetch(&batch);
  move_tensors(batch);
  gpu_->put_back();
  finish(batch, waited, now() - begin);
}

// What NCCL is done with. Meanwhile this thread agrees on what comes next, and moves what is in the host's memory.
bool Communicator::land_launched() {
  Gpu::Launched landed;
  if (!gpu_->land(agreement_->stall_seconds, &landed)) return false;
  finish(landed.batch, landed.waited, now() - landed.since);
  return true;
}

void Communicator::finish(const Batch& batch, double waited, double moved) {
  int64_t bytes = 0, programs_own = 0;
  for (const Request& request : batch) {
    if (!is_guards(request.name)) ++programs_own;
    for (const Request::Tensor& tensor : request.tensors) {
      bytes += static_cast<int64_t>(tensor.count * size_of(tensor.type));
    }
  }
  {
    std::lock_guard<std::mutex> lock(mutex_);
    counters_.collectives += programs_own;
    counters_.batches += 1;
    counters_.bytes += bytes;
    counters_.seconds_agreeing += waited;
    counters_.seconds_moving += moved;
  }
  for (const Request& request : batch) answer(request, DDL_OK, "");
}

// It is out of flight first: who is told may go on to the next of the name.
void Communicator::answer(const Request& request, int code, const std::string& words) {
  if (request.shares_name) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (--in_flight_[request.name] == 0) in_flight_.erase(request.name);
  }
  request.done(request.context, code, words.c_str());
  std::lock_guard<std::mutex> lock(mutex_);
  if (--unfinished_ == 0 && closed_) changed_.notify_all();
}

// Tensors that can be reduced as one row are: those of one kind, type and reduction, in the order in which they came.
void Communicator::move_tensors(const Batch& batch) {
  struct Row {
    int kind, how, type;
    Spans spans;
  };
  std::vector<Row> rows;
  for (const Request& request : batch) {
    for (const Request::Tensor& tensor : request.tensors) {
      Row* found = nullptr;
      for (Row& row : rows) {
        if (row.kind == request.kind && row.how == request.how && row.type == tensor.type) found = &row;
      }
      if (!found) {
        rows.push_back({request.kind, request.how, tensor.type, Spans(size_of(tensor.type))});
        found = &rows.back();
      }
      found->spans.add(tensor.input, tensor.output, tensor.count);
    }
  }
  for (const Row& row : rows) {
    if (row.kind == DDL_BROADCAST) {
      algorithms_->broadcast(row.spans, row.how);
    } else {
      algorithms_->allreduce(row.spans, row.type, row.how);
    }
  }
}

void Communicator::rest(unsigned idle_rounds) {
  const bool waits = !pending_.empty() || told_leaving_ || gpu_->under_way();
  if (waits && idle_rounds < kSpins && !crowded_) {
    pause_briefly();
    return;
  }
  if (waits && idle_rounds < (crowded_ ? kYieldsInACrowd : kYields)) {
    sched_yield();
    return;
  }
  std::unique_lock<std::mutex> lock(mutex_);
  if (!submitted_.empty() || (leaving_ && !told_leaving_)) return;
  asleep_ = true;
  if (waits) {
    changed_.wait_for(lock, kNap);
  } else if (topology_.rank == 0 && topology_.size > 1) {
    changed_.wait_for(lock, kRootNap);
  } else {
    changed_.wait(lock);
  }
  asleep_ = false;
}

// What was submitted while all left can no longer be told to anyone.
void Communicator::end() {
  std::vector<Request> rest;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    leaving_ = true;
    rest.swap(submitted_);
  }
  for (auto& each : pending_) {
    for (Request& request : each.second) rest.push_back(std::move(request));
  }
  pending_.clear();
  for (const Request& request : rest) answer(request, DDL_LEFT, request.name + ": this rank has left");
  if (gpu_ && !exiting_) gpu_->disconnect();
  agreement_.reset();
  algorithms_.reset();
  leave_topology(&topology_);
  if (began_mpi_) MPI_Finalize();
}

}  // namespace ddl

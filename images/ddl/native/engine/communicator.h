// The engine's one thread, and the queue before it. All of MPI happens in that thread, its start and its end included.
#ifndef DDL_ENGINE_COMMUNICATOR_H
#define DDL_ENGINE_COMMUNICATOR_H

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "collectives/algorithms.h"
#include "engine/agreement.h"
#include "engine/request.h"
#include "engine/topology.h"
#include "gpu/gpu.h"

namespace ddl {

class Communicator {
 public:
  // Starts the thread and MPI; returns when this rank can submit. `error` is "" if it can.
  Communicator(const std::string& options, int local_rank, std::string* error);
  ~Communicator();

  // False if this rank is leaving.
  bool submit(Request&& request);
  // Before `submit`, for tensors on this rank's GPU; see ddl_enqueue_on_gpu. False with the reason in `error`.
  bool prepare_on_gpu(void* stream, Request* request, std::string* error) {
    return gpu_->prepare(stream, request, error);
  }
  // Takes no more requests. Whether those that were taken are done, within so many seconds.
  bool close(double seconds);
  // Before `leave`, where the process is at its end: CUDA may be gone already, and takes the GPU's side with it.
  void exit() { exiting_ = true; }
  // Leaves, and waits until all ranks have.
  void leave();

  const Topology& topology() const { return topology_; }
  int local_rank() const { return local_rank_; }
  const char* algorithm(size_t bytes) const { return algorithms_->name(bytes); }
  const char* gpu_algorithm() const { return gpu_->algorithm(); }
  void set_stall_seconds(double seconds);
  // For the next collective of this name; see ddl_guard_steps.
  void set_guard_steps(const std::string& name, int64_t steps);
  ddl_counters counters();
  // That were submitted here, the guard's left out.
  int64_t reductions();

 private:
  typedef std::vector<Request> Batch;

  void run(const std::string& options, std::string* error);
  bool begin(const std::string& options, std::string* error);
  void serve();
  bool take_submissions();
  void announce(Request&& request);
  void answer(const Request& request, int code, const std::string& words);
  void carry_out(const std::vector<Order>& orders);
  Request take_pending(const std::string& name);
  bool land_launched();
  void finish(const Batch& batch, double waited, double moved);
  void move_tensors(const Batch& batch);
  void rest(unsigned idle_rounds);
  void end();

  int local_rank_;
  Topology topology_;
  Mode mode_;
  bool began_mpi_ = false, crowded_ = false;
  std::unique_ptr<Algorithms> algorithms_;
  std::unique_ptr<Agreement> agreement_;
  std::unique_ptr<Gpu> gpu_;
  // The thread's own: by name, what waits for an order; behind the first of a name are the later ones.
  std::unordered_map<std::string, std::deque<Request>> pending_;

  std::mutex mutex_;  // of what follows
  std::condition_variable changed_;
  std::vector<Request> submitted_;
  int64_t reductions_ = 0;
  std::unordered_map<std::string, int64_t> guard_steps_;  // by name
  bool asleep_ = false, ready_ = false, closed_ = false, leaving_ = false;
  size_t unfinished_ = 0;  // requests that were taken and are not done
  std::unordered_map<std::string, int> in_flight_;  // of names that collectives share: how many
  double stall_seconds_ = 60;
  ddl_counters counters_ = {0, 0, 0, 0, 0};

  bool told_leaving_ = false;  // the thread's own
  bool exiting_ = false;       // written before leaving_ is
  std::thread thread_;
};

}  // namespace ddl

#endif

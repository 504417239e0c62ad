// The engine's background thread and its submission queue. All MPI calls happen in that thread, including
// initialisation and finalisation.
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
#include "engine/negotiation.h"
#include "engine/request.h"
#include "engine/topology.h"
#include "gpu/gpu.h"

namespace ddl {

class Communicator {
 public:
  // Starts the thread and initialises MPI; returns when this rank can submit. `error` is "" on success.
  Communicator(const std::string& options, int local_rank, std::string* error);
  ~Communicator();

  // False if this rank is shutting down.
  bool submit(Request&& request);
  // Called before `submit` for tensors on this rank's GPU; see ddl_enqueue_on_gpu. False on error, with the reason in
  // `error`.
  bool prepare_on_gpu(void* stream, Request* request, std::string* error) {
    return gpu_->prepare(stream, request, error);
  }
  // Accepts no more requests. Returns whether all accepted ones completed within `seconds`.
  bool close(double seconds);
  // Called before `shut_down` at process exit: CUDA may already be unloaded, so GPU resources are not released.
  void mark_process_exiting() { process_exiting_ = true; }
  // Shuts down, and waits until all ranks have.
  void shut_down();

  const Topology& topology() const { return topology_; }
  int local_rank() const { return local_rank_; }
  const char* algorithm(size_t bytes) const { return algorithms_->name(bytes); }
  const char* gpu_algorithm() const { return gpu_->algorithm(); }
  void set_stall_seconds(double seconds);
  // For the next collective of this name; see ddl_guard_steps.
  void set_guard_steps(const std::string& name, int64_t steps);
  ddl_counters counters();
  // Number of reductions submitted on this rank, without the guard's.
  int64_t reductions();

 private:
  typedef std::vector<Request> Batch;

  void run(const std::string& options, std::string* error);
  bool begin(const std::string& options, std::string* error);
  void serve();
  bool drain_queue();
  void negotiate(Request&& request);
  void complete(const Request& request, int code, const std::string& message);
  void execute(const std::vector<Response>& responses);
  Request pop_pending(const std::string& name);
  bool complete_launched();
  void finish(const Batch& batch, double wait_seconds, double transfer_seconds);
  void run_collectives(const Batch& batch);
  void idle(unsigned idle_rounds);
  void finalize();

  int local_rank_;
  Topology topology_;
  Mode mode_;
  bool initialized_mpi_ = false, oversubscribed_ = false;
  std::unique_ptr<Algorithms> algorithms_;
  std::unique_ptr<Negotiation> negotiation_;
  std::unique_ptr<Gpu> gpu_;
  // Used by the thread only. By name: requests waiting for a response; the first one is being negotiated.
  std::unordered_map<std::string, std::deque<Request>> pending_;

  std::mutex mutex_;  // protects what follows
  std::condition_variable changed_;
  std::vector<Request> submitted_;
  int64_t reductions_ = 0;
  std::unordered_map<std::string, int64_t> guard_steps_;  // by name
  bool asleep_ = false, ready_ = false, closed_ = false, shutting_down_ = false;
  size_t unfinished_ = 0;                           // requests accepted and not completed
  std::unordered_map<std::string, int> in_flight_;  // number in flight, for names that several collectives share
  double stall_seconds_ = 60;
  ddl_counters counters_ = {0, 0, 0, 0, 0};

  bool sent_shutdown_ = false;    // used by the thread only
  bool process_exiting_ = false;  // written before shutting_down_
  std::thread thread_;
};

}  // namespace ddl

#endif

// The C interface: one communicator per process, and error messages.
#include <mpi.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <condition_variable>
#include <string>
#include <unordered_map>

#include "engine.h"
#include "engine/communicator.h"
#include "engine/digest.h"

namespace {

// Never destroyed: its thread may outlive static destructors.
struct Process {
  std::mutex mutex;
  ddl::Communicator* communicator = nullptr;
  bool initialized = false;  // stays true after shutdown
  bool shut_down = false;
  pid_t pid = 0;                       // of the process that initialised
  std::atomic<bool> inherited{false};  // this is a forked child's copy
};

Process& process() {
  static Process* one = new Process();
  return *one;
}

thread_local std::string last_error;

int fail(int code, const std::string& message) {
  last_error = message;
  return code;
}

// In a forked child the engine's thread does not exist, its mutexes may be locked forever, and MPI belongs to the
// parent. Nothing is touched there, whatever is called; this is checked before any lock is taken.
bool inherited() { return process().inherited.load(std::memory_order_relaxed); }

void after_fork_in_child() {
  if (process().pid != 0) process().inherited = true;
}

int refuse() {
  return fail(DDL_NOT_READY, "this process was forked by rank " + std::to_string(ddl_rank()) + "'s (process " +
                                 std::to_string(process().pid) + "): collectives belong to the rank's own process");
}

ddl::Communicator* communicator() {
  if (inherited()) return nullptr;
  std::lock_guard<std::mutex> lock(process().mutex);
  return process().shut_down ? nullptr : process().communicator;
}

int not_ready() {
  if (inherited()) return refuse();
  return fail(DDL_NOT_READY, "ddl is not initialised in this process: collectives belong to the rank's own process, "
                             "which must import ddl before it starts others");
}

// The communicator even after shutdown: ranks and sizes remain valid.
ddl::Communicator* known() {
  if (inherited()) return process().communicator;
  std::lock_guard<std::mutex> lock(process().mutex);
  return process().communicator;
}

void abort_with(int status) { ddl_abort(("exited with status " + std::to_string(status)).c_str(), status); }

// on_exit is glibc's; atexit does not pass the status. A rank that fails aborts the job, as mpirun does for any other
// program. If it waited for the others, they would fail first, with a different status.
void at_exit(int given, void*) {
  Process& state = process();
  const int status = given & 0xff;  // as the parent will see it
  if (inherited()) return;
  {
    std::lock_guard<std::mutex> lock(state.mutex);
    if (!state.communicator || state.shut_down) return;
  }
  if (status != 0) abort_with(status);
  state.communicator->mark_process_exiting();
  ddl_shutdown();
}

// `to` stays valid after shutdown, and then accepts nothing.
int submit(ddl::Communicator* to, ddl::Request&& request) {
  const std::string name = request.name;
  return to->submit(std::move(request)) ? DDL_OK : fail(DDL_SHUT_DOWN, name + ": this rank has shut down");
}

struct PendingResult {
  bool done = false;
  int code = DDL_OK;
  std::string message;
};

struct Handles {
  std::mutex mutex;
  std::condition_variable done;
  std::unordered_map<int64_t, PendingResult> pending;
  int64_t next = 1;
};

Handles& handles() {
  static Handles* all = new Handles();
  return *all;
}

void handle_done(void* context, int code, const char* message) {
  Handles& all = handles();
  std::lock_guard<std::mutex> lock(all.mutex);
  PendingResult& pending = all.pending[reinterpret_cast<intptr_t>(context)];
  pending.done = true;
  pending.code = code;
  pending.message = message;
  all.done.notify_all();
}

}  // namespace

extern "C" {

int ddl_init(const char* options, int local_rank) {
  Process& state = process();
  if (inherited()) return refuse();
  std::lock_guard<std::mutex> lock(state.mutex);
  if (state.initialized) return fail(DDL_NOT_READY, "ddl is already initialised in this process");
  std::string error;
  std::unique_ptr<ddl::Communicator> created(new ddl::Communicator(options ? options : "", local_rank, &error));
  if (!error.empty()) return fail(DDL_INVALID, error);
  state.initialized = true;
  state.communicator = created.release();
  state.pid = getpid();
  on_exit(at_exit, nullptr);
  pthread_atfork(nullptr, nullptr, &after_fork_in_child);
  return DDL_OK;
}

int ddl_initialized(void) { return communicator() != nullptr; }
int ddl_rank(void) { return known() ? known()->topology().rank : 0; }
int ddl_size(void) { return known() ? known()->topology().size : 1; }
int ddl_local_rank(void) { return known() ? known()->local_rank() : 0; }
int ddl_local_size(void) { return known() ? known()->topology().local_size : 1; }
int ddl_num_hosts(void) { return known() ? known()->topology().hosts : 1; }

int ddl_enqueue(const char* name, int kind, int op_or_root, const ddl_tensor* tensors, int count, ddl_done done,
                void* context) {
  ddl::Communicator* to = communicator();
  if (!to) return not_ready();
  ddl::Request request;
  std::string error;
  if (!ddl::make_request(name, kind, op_or_root, tensors, count, to->topology().rank, to->topology().size, &request,
                         &error)) {
    return fail(DDL_INVALID, error);
  }
  request.done = done;
  request.context = context;
  return submit(to, std::move(request));
}

int ddl_enqueue_on_gpu(const char* name, int kind, int op_or_root, const ddl_tensor* tensors, int count, void* stream,
                       ddl_done done, void* context) {
  ddl::Communicator* to = communicator();
  if (!to) return not_ready();
  ddl::Request request;
  std::string error;
  if (!ddl::make_request(name, kind, op_or_root, tensors, count, to->topology().rank, to->topology().size, &request,
                         &error)) {
    return fail(DDL_INVALID, error);
  }
  if (!to->prepare_on_gpu(stream, &request, &error)) return fail(DDL_FAILED, error);
  request.done = done;
  request.context = context;
  return submit(to, std::move(request));
}

int64_t ddl_start(const char* name, int kind, int op_or_root, const ddl_tensor* tensors, int count) {
  if (inherited()) return refuse(), 0;
  Handles& all = handles();
  int64_t handle;
  {
    std::lock_guard<std::mutex> lock(all.mutex);
    handle = all.next++;
    all.pending[handle];
  }
  void* context = reinterpret_cast<void*>(static_cast<intptr_t>(handle));
  const int code = ddl_enqueue(name, kind, op_or_root, tensors, count, &handle_done, context);
  if (code == DDL_OK) return handle;
  std::lock_guard<std::mutex> lock(all.mutex);
  all.pending.erase(handle);
  return 0;
}

int ddl_poll(int64_t handle) {
  if (inherited()) return 1;
  Handles& all = handles();
  std::lock_guard<std::mutex> lock(all.mutex);
  const auto found = all.pending.find(handle);
  return found == all.pending.end() || found->second.done;
}

int ddl_wait(int64_t handle) {
  if (inherited()) return refuse();
  Handles& all = handles();
  std::unique_lock<std::mutex> lock(all.mutex);
  if (!all.pending.count(handle)) return fail(DDL_INVALID, "no such handle, or ddl_wait was already called for it");
  while (!all.pending[handle].done) all.done.wait(lock);
  const PendingResult pending = all.pending[handle];
  all.pending.erase(handle);
  last_error = pending.message;
  return pending.code;
}

int ddl_run(const char* name, int kind, int op_or_root, const ddl_tensor* tensors, int count) {
  ddl::Communicator* to = communicator();
  if (!to) return not_ready();
  const int64_t handle = ddl_start(name, kind, op_or_root, tensors, count);
  // The error message tells which: this rank has shut down, or the arguments are invalid.
  if (handle == 0) return communicator() ? DDL_INVALID : DDL_SHUT_DOWN;
  return ddl_wait(handle);
}

void ddl_guard_steps(const char* name, int64_t steps) {
  if (ddl::Communicator* to = communicator()) to->set_guard_steps(name, steps);
}

int64_t ddl_reductions(void) {
  ddl::Communicator* to = known();
  return to ? to->reductions() : 0;
}

uint64_t ddl_digest(const void* data, int64_t bytes) { return ddl::digest(data, static_cast<size_t>(bytes)); }

void ddl_set_stall_seconds(double seconds) {
  if (ddl::Communicator* to = communicator()) to->set_stall_seconds(seconds > 0 ? seconds : 0);
}

void ddl_read_counters(ddl_counters* counters) {
  *counters = ddl_counters();
  if (inherited()) return;
  if (ddl::Communicator* to = known()) *counters = to->counters();
}

const char* ddl_algorithm(int64_t bytes) {
  ddl::Communicator* to = communicator();
  return to ? to->algorithm(static_cast<size_t>(bytes)) : "";
}

void ddl_add_search_path(const char* folder) { ddl::Gpu::add_search_path(folder); }

int ddl_sees_gpu(void) { return ddl::Gpu::seen(); }

const char* ddl_gpu_algorithm(void) {
  ddl::Communicator* to = communicator();
  return to ? to->gpu_algorithm() : "";
}

int ddl_close(double seconds, int status) {
  ddl::Communicator* to = communicator();
  if (!to || to->close(seconds)) return DDL_OK;
  if (status > 0) abort_with(status);
  return status == 0 ? ddl_shutdown() : DDL_OK;
}

int ddl_shutdown(void) {
  Process& state = process();
  if (inherited()) return DDL_OK;
  {
    std::lock_guard<std::mutex> lock(state.mutex);
    if (!state.communicator || state.shut_down) return DDL_OK;
    state.shut_down = true;
  }
  state.communicator->shut_down();
  return DDL_OK;
}

void ddl_abort(const char* why, int status) {
  std::fprintf(stderr, "ddl: rank %d aborts the job: %s\n", ddl_rank(), why ? why : "");
  int initialised = 0, finalised = 0;
  MPI_Initialized(&initialised);
  MPI_Finalized(&finalised);
  std::fflush(stdout);
  if (initialised && !finalised && !inherited()) MPI_Abort(MPI_COMM_WORLD, status);
  std::_Exit(status);
}

const char* ddl_last_error(void) { return last_error.c_str(); }

int ddl_set_error(int code, const char* message) { return fail(code, message ? message : ""); }

}  // extern "C"

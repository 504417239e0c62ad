// The C interface: one communicator per process, and words for errors.
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

// Never destroyed: its thread may outlive the destructors of static objects.
struct Process {
  std::mutex mutex;
  ddl::Communicator* communicator = nullptr;
  bool was = false;  // initialised once: for ever
  bool over = false;
  pid_t id = 0;  // that initialised
  std::atomic<bool> inherited{false};  // this is a forked child's copy of it
};

Process& process() {
  static Process* one = new Process();
  return *one;
}

thread_local std::string last_error;

int fail(int code, const std::string& words) {
  last_error = words;
  return code;
}

// In a forked child the engine's thread is missing, its mutexes may be locked for ever, and MPI belongs to the parent: there
// nothing is touched, whatever is called. This is asked before any lock is taken.
bool inherited() { return process().inherited.load(std::memory_order_relaxed); }

void after_fork_in_child() {
  if (process().id != 0) process().inherited = true;
}

int refuse() {
  return fail(DDL_NOT_READY, "this process was forked by rank " + std::to_string(ddl_rank()) + "'s (process " +
                                 std::to_string(process().id) + "): collectives belong to the rank's own process");
}

ddl::Communicator* communicator() {
  if (inherited()) return nullptr;
  std::lock_guard<std::mutex> lock(process().mutex);
  return process().over ? nullptr : process().communicator;
}

int not_ready() { return inherited() ? refuse() : fail(DDL_NOT_READY, "ddl is not initialised in this process: collectives belong to the rank's own, which imports ddl before it starts others"); }

// The communicator even after its end: ranks and sizes stay true.
ddl::Communicator* known() {
  if (inherited()) return process().communicator;
  std::lock_guard<std::mutex> lock(process().mutex);
  return process().communicator;
}

void end_with(int status) { ddl_abort(("it exits with status " + std::to_string(status)).c_str(), status); }

// on_exit is glibc's; atexit would not tell the status. A rank that fails ends the job, as mpirun would have it of any other
// program: left to wait for the others, it would make them fail first, with another status.
void at_exit(int given, void*) {
  Process& here = process();
  const int status = given & 0xff;  // as the parent will see it
  if (inherited()) return;
  {
    std::lock_guard<std::mutex> lock(here.mutex);
    if (!here.communicator || here.over) return;
  }
  if (status != 0) end_with(status);
  here.communicator->exit();
  ddl_shutdown();
}

// `to` outlives its end, and then takes nothing.
int submit(ddl::Communicator* to, ddl::Request&& request) {
  const std::string name = request.name;
  return to->submit(std::move(request)) ? DDL_OK : fail(DDL_LEFT, name + ": this rank has left");
}

struct Waiting {
  bool done = false;
  int code = DDL_OK;
  std::string words;
};

struct Handles {
  std::mutex mutex;
  std::condition_variable done;
  std::unordered_map<int64_t, Waiting> waiting;
  int64_t next = 1;
};

Handles& handles() {
  static Handles* all = new Handles();
  return *all;
}

void handle_done(void* context, int code, const char* words) {
  Handles& all = handles();
  std::lock_guard<std::mutex> lock(all.mutex);
  Waiting& waiting = all.waiting[reinterpret_cast<intptr_t>(context)];
  waiting.done = true;
  waiting.code = code;
  waiting.words = words;
  all.done.notify_all();
}

}  // namespace

extern "C" {

int ddl_init(const char* options, int local_rank) {
  Process& here = process();
  if (inherited()) return refuse();
  std::lock_guard<std::mutex> lock(here.mutex);
  if (here.was) return fail(DDL_NOT_READY, "ddl is initialised already in this process");
  std::string error;
  std::unique_ptr<ddl::Communicator> made(new ddl::Communicator(options ? options : "", local_rank, &error));
  if (!error.empty()) return fail(DDL_INVALID, error);
  here.was = true;
  here.communicator = made.release();
  here.id = getpid();
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

int ddl_enqueue(const char* name, int kind, int how, const ddl_tensor* tensors, int count, ddl_done done,
                void* context) {
  ddl::Communicator* to = communicator();
  if (!to) return not_ready();
  ddl::Request request;
  std::string error;
  if (!ddl::make_request(name, kind, how, tensors, count, to->topology().rank, to->topology().size, &request, &error)) {
    return fail(DDL_INVALID, error);
  }
  request.done = done;
  request.context = context;
  return submit(to, std::move(request));
}

int ddl_enqueue_on_gpu(const char* name, int kind, int how, const ddl_tensor* tensors, int count, void* stream,
                       ddl_done done, void* context) {
  ddl::Communicator* to = communicator();
  if (!to) return not_ready();
  ddl::Request request;
  std::string error;
  if (!ddl::make_request(name, kind, how, tensors, count, to->topology().rank, to->topology().size, &request, &error)) {
    return fail(DDL_INVALID, error);
  }
  if (!to->prepare_on_gpu(stream, &request, &error)) return fail(DDL_FAILED, error);
  request.done = done;
  request.context = context;
  return submit(to, std::move(request));
}

int64_t ddl_start(const char* name, int kind, int how, const ddl_tensor* tensors, int count) {
  if (inherited()) return refuse(), 0;
  Handles& all = handles();
  int64_t handle;
  {
    std::lock_guard<std::mutex> lock(all.mutex);
    handle = all.next++;
    all.waiting[handle];
  }
  void* context = reinterpret_cast<void*>(static_cast<intptr_t>(handle));
  const int code = ddl_enqueue(name, kind, how, tensors, count, &handle_done, context);
  if (code == DDL_OK) return handle;
  std::lock_guard<std::mutex> lock(all.mutex);
  all.waiting.erase(handle);
  return 0;
}

int ddl_poll(int64_t handle) {
  if (inherited()) return 1;
  Handles& all = handles();
  std::lock_guard<std::mutex> lock(all.mutex);
  const auto found = all.waiting.find(handle);
  return found == all.waiting.end() || found->second.done;
}

int ddl_wait(int64_t handle) {
  if (inherited()) return refuse();
  Handles& all = handles();
  std::unique_lock<std::mutex> lock(all.mutex);
  if (!all.waiting.count(handle)) return fail(DDL_INVALID, "no such handle, or it was waited for already");
  while (!all.waiting[handle].done) all.done.wait(lock);
  const Waiting waiting = all.waiting[handle];
  all.waiting.erase(handle);
  last_error = waiting.words;
  return waiting.code;
}

int ddl_run(const char* name, int kind, int how, const ddl_tensor* tensors, int count) {
  ddl::Communicator* to = communicator();
  if (!to) return not_ready();
  const int64_t handle = ddl_start(name, kind, how, tensors, count);
  // The words tell which it was: this rank has left, or the arguments cannot be.
  if (handle == 0) return communicator() ? DDL_INVALID : DDL_LEFT;
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

void ddl_look_in(const char* folder) { ddl::Gpu::look_in(folder); }

int ddl_sees_gpu(void) { return ddl::Gpu::seen(); }

const char* ddl_gpu_algorithm(void) {
  ddl::Communicator* to = communicator();
  return to ? to->gpu_algorithm() : "";
}

int ddl_close(double seconds, int status) {
  ddl::Communicator* to = communicator();
  if (!to || to->close(seconds)) return DDL_OK;
  if (status > 0) end_with(status);
  return status == 0 ? ddl_shutdown() : DDL_OK;
}

int ddl_shutdown(void) {
  Process& here = process();
  if (inherited()) return DDL_OK;
  {
    std::lock_guard<std::mutex> lock(here.mutex);
    if (!here.communicator || here.over) return DDL_OK;
    here.over = true;
  }
  here.communicator->leave();
  return DDL_OK;
}

void ddl_abort(const char* why, int status) {
  std::fprintf(stderr, "ddl: rank %d ends the job: %s\n", ddl_rank(), why ? why : "");
  int initialised = 0, finalised = 0;
  MPI_Initialized(&initialised);
  MPI_Finalized(&finalised);
  std::fflush(stdout);
  if (initialised && !finalised && !inherited()) MPI_Abort(MPI_COMM_WORLD, status);
  std::_Exit(status);
}

const char* ddl_last_error(void) { return last_error.c_str(); }

int ddl_fail(int code, const char* words) { return fail(code, words ? words : ""); }

}  // extern "C"

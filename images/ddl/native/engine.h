/* ddl's engine: collectives over MPI between the processes of one training run. A plain C interface without TensorFlow:
 * TensorFlow's ops (tensorflow/ops.cc), ctypes and PyTorch all use it.
 *
 * Everything is in one shared library, `libddl_engine.so`. `ddl_MDR.so`, the library of TensorFlow ops, links with it
 * and finds it in its own directory. A process has one engine, however often the library is loaded.
 *
 * The contract
 * - Ranks may submit collectives in different orders and from several threads: all ranks negotiate with the
 *   coordinator, rank 0, by name, what runs next. So a collective has a name, the same on every rank. A name may be
 *   submitted again at any time; the later request waits for the earlier one of the same name.
 * - A collective whose kind, reduction, root, types or shapes differ between ranks fails on every rank with
 *   DDL_MISMATCH and a message that names it. If all ranks wait, each for a name that another has not submitted, those
 *   collectives fail after the stall time.
 * - A name with a line feed is shared by many collectives. What follows the line feed is the origin, which may be
 *   empty: where in the program they come from, such as `thread 2`. Only the order of such collectives tells them
 *   apart, so it must be deterministic: if the ranks' origins differ, or a second one is submitted while the first is
 *   in flight, the result is DDL_MISMATCH on every rank, and so it is for all later ones under this name. An origin
 *   that begins with `!` says that the caller itself has detected a race.
 * - A rank that is missing is reported on rank 0's stderr after the stall time (who waits, for whom, in what), and
 *   again after each further such time; this is not an error. A collective that needs a rank which has shut down (see
 *   `ddl_shutdown`) fails with DDL_SHUT_DOWN. A rank that dies ends the job: mpirun sees to that. A rank that exits
 *   with a status other than 0 aborts the job at once, with that status.
 * - The engine belongs to the process that called `ddl_init`. A child that it forks may call everything: functions that
 *   would submit or wait return DDL_NOT_READY there with a message, and the rest do nothing. It may exit in any way.
 * - Only `ddl_init`, `ddl_run`, `ddl_wait` and `ddl_shutdown` wait for other ranks. One thread of the engine's own does
 *   all communication and calls all callbacks.
 * - Results are bitwise identical on every rank.
 *
 * Functions that return `int` return DDL_OK or one of the other codes; `ddl_last_error()` then has the message. */
#ifndef DDL_ENGINE_H
#define DDL_ENGINE_H

#include <stdint.h>

#if defined(__GNUC__)
#define DDL_API __attribute__((visibility("default")))
#else
#define DDL_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

enum ddl_code {
  DDL_OK = 0,
  DDL_INVALID = 1,     /* invalid argument: dimensions whose product is not the number of ranks, … */
  DDL_NOT_READY = 2,   /* ddl_init was not called, was called twice, or was called by this process's parent */
  DDL_MISMATCH = 3,    /* ranks differ about a collective */
  DDL_SHUT_DOWN = 4,        /* a rank has shut down, so this collective can never complete */
  DDL_FAILED = 5,      /* a CUDA error: the tensors are on another GPU than this rank's, … */
  DDL_DIVERGED = 6     /* ranks are not synchronised; see ddl_guard_steps */
};

enum ddl_kind { DDL_ALLREDUCE = 0, DDL_BROADCAST = 1 };                    /* broadcast: the root's value to every rank */
enum ddl_reduction { DDL_SUM = 0, DDL_AVERAGE = 1, DDL_MIN = 2, DDL_MAX = 3 }; /* average: floating point only */
enum ddl_type {
  DDL_FLOAT16 = 0,
  DDL_BFLOAT16 = 1,
  DDL_FLOAT32 = 2,
  DDL_FLOAT64 = 3,
  DDL_INT32 = 4,
  DDL_INT64 = 5,
  DDL_BYTES = 6        /* broadcast only: opaque elements, only their size is known (bool, complex64, …) */
};

/* One tensor: dense, row-major, in this process's memory. `input` and `output` may be the same address; otherwise they
 * must not overlap. Both must stay valid until the collective is done. `dims` and `element` are read before the call
 * returns. If an element represents something other than a number of `type`, `element` names it: complex64 as two
 * DDL_FLOAT32 (`element_bytes` is 8); uint8, summed as DDL_INT32; bool, sent as DDL_BYTES. It must be the same on all
 * ranks. */
typedef struct ddl_tensor {
  const void *input;
  void *output;
  const int64_t *dims;
  int32_t ndims;
  int32_t type;        /* enum ddl_type */
  const char *element; /* NULL: the type's own name */
  int64_t element_bytes; /* bytes of one element, a multiple of the type's size; 0: the type's size */
} ddl_tensor;

/* Called once, from the engine's thread, when a collective is done; must be short and must not block. `message` is ""
 * if `code` is DDL_OK, and valid only during the call. */
typedef void (*ddl_done)(void *context, int code, const char *message);

/* Initialise: MPI is initialised unless it already is (mpi4py, for example, must have requested MPI_THREAD_SERIALIZED
 * at least, and MPI_THREAD_MULTIPLE if others call MPI too). Collective.
 *
 * options    DDL_OPTIONS as the user wrote it: `-mode C:AxBxC`. C: b hierarchical, r ring, m MPI_Allreduce, n NCCL for
 *            tensors on GPUs and b for others, p likewise but for others measures at start and picks by size. A: ranks
 *            per host, B: hosts, further dimensions: racks, aisles; the product must be the number of ranks. "" or
 *            NULL: p, with the detected topology. Also `-wire fp16|bf16` (fp32 is sent between hosts in 16 bits),
 *            `-stall SECONDS`, `-explore SECONDS` (time limit of p's measurements; 3). `-start SECONDS` is validated
 *            here and used by Python. Unknown options are ignored with a warning on rank 0's stderr.
 * local_rank this process's number on its host (its GPU); stored and returned by ddl_local_rank.
 * A second call returns DDL_NOT_READY. */
DDL_API int ddl_init(const char *options, int local_rank);

DDL_API int ddl_initialized(void);   /* 1 between ddl_init and ddl_shutdown */
DDL_API int ddl_rank(void);          /* 0 before ddl_init */
DDL_API int ddl_size(void);          /* 1 before ddl_init */
DDL_API int ddl_local_rank(void);    /* as passed to ddl_init; 0 before */
DDL_API int ddl_local_size(void);    /* ranks on this host, as detected by MPI; 1 before */
DDL_API int ddl_num_hosts(void);     /* 1 before */

/* Submit a collective over `count` tensors, which are reduced as one fused buffer; types may be mixed. Returns at once.
 * `op_or_root` is the reduction (enum ddl_reduction), or a broadcast's root, the rank whose values all ranks get. If
 * DDL_OK is returned, `done` is called exactly once; otherwise it is never called. */
DDL_API int ddl_enqueue(const char *name, int kind, int op_or_root, const ddl_tensor *tensors, int count, ddl_done done,
                        void *context);

/* The same with a handle (> 0) instead of a callback; 0 on error. Each handle must be waited for once. */
DDL_API int64_t ddl_start(const char *name, int kind, int op_or_root, const ddl_tensor *tensors, int count);
DDL_API int ddl_poll(int64_t handle); /* 1 if ddl_wait would return at once */
DDL_API int ddl_wait(int64_t handle); /* the collective's code; frees the handle */

/* ddl_start, then ddl_wait. */
DDL_API int ddl_run(const char *name, int kind, int op_or_root, const ddl_tensor *tensors, int count);

/* Must precede all other calls, if used: a directory of Python packages. NVIDIA's wheels are searched for in it, and in
 * the directories that this process's libraries were loaded from: none of those is there yet if the framework is
 * imported later. */
DDL_API void ddl_add_search_path(const char *folder);

/* Whether CUDA sees a GPU in this process, and libddl_nccl.so is installed. May be called before ddl_init. */
DDL_API int ddl_sees_gpu(void);

/* ddl_enqueue for tensors in the memory of this rank's GPU: the one numbered by the local rank, or the only one that
 * CUDA sees. They must be ready at the point in `stream` (a cudaStream_t) where this is called; the call does not wait
 * for that. Results are visible to every stream when `done` is called. Uses NCCL if all ranks can (see ddl_init and
 * ddl_gpu_algorithm): then this collective's tensors must be on GPUs on all ranks, or it is a DDL_MISMATCH. Otherwise
 * tensors are staged through host memory, and the other ranks' tensors may be anywhere. If CUDA or NCCL fails later,
 * the job is aborted with a message, as no rank could continue. */
DDL_API int ddl_enqueue_on_gpu(const char *name, int kind, int op_or_root, const ddl_tensor *tensors, int count,
                               void *stream, ddl_done done, void *context);

/* How tensors on GPUs are reduced: "nccl", "host", or "" if this rank has no GPU. */
DDL_API const char *ddl_gpu_algorithm(void);

/* The divergence guard. Its collectives have names that begin with `guard: ` (DDL_GUARD_NAMES). Before one is
 * submitted, this call reports, under the same name, how many training steps the rank has taken (0 or more). Rank 0 can
 * then detect what no single rank can:
 * - More steps than there were reductions on all ranks: the rank trains unsynchronised, and the collective fails with
 *   DDL_DIVERGED. (Each step of a synchronised training needs a reduction, so there can never be more.)
 * - All ranks wait, one of them in a guard collective, and there has been no new request for 15 s: likewise, with a
 *   message of who waits in what.
 * - `guard: alone` is submitted by a rank that changes its variables although it reduces nothing. It fails with
 *   DDL_DIVERGED as soon as another rank waits for this one in another collective. It succeeds if all ranks submit it.
 * - `guard: end` is submitted by a rank whose program is over. It fails with DDL_SHUT_DOWN as soon as another rank
 *   waits for this one in another collective: the rank then shuts down, and is reported as such. */
#define DDL_GUARD_NAMES "guard: "
DDL_API void ddl_guard_steps(const char *name, int64_t steps);

/* Steps taken without Python, inside TensorFlow functions: the op `GuardStep` counts them under a `key`, and calls the
 * comparison that Python has registered, in a thread of its own; it may wait for other ranks. It returns DDL_OK or
 * `ddl_set_error(code, message)`. If none is registered, as in a program that has loaded another program's graph,
 * nothing is compared. ddl_guard_count adds `more` steps and returns the new count; it may be called by any thread and
 * never waits. */
typedef int (*ddl_comparison)(int64_t key, int64_t steps);
DDL_API int64_t ddl_guard_count(int64_t key, int64_t more);
DDL_API void ddl_guard_set_comparison(ddl_comparison compare);
DDL_API int ddl_guard_compare(int64_t key, int64_t steps);

/* Number of reductions this rank has submitted so far, without the guard's. */
DDL_API int64_t ddl_reductions(void);

/* A digest of memory, the same on every machine of this byte order, in all versions. Not cryptographic. */
DDL_API uint64_t ddl_digest(const void *data, int64_t bytes);

/* Seconds after which a missing rank is reported; initially 60, or the environment's DDL_STALL_SECONDS. 0: never. */
DDL_API void ddl_set_stall_seconds(double seconds);

/* Statistics of the engine. Times are seconds of the engine's thread. */
typedef struct ddl_counters {
  int64_t collectives;   /* completed requests, without the guard's */
  int64_t batches;       /* fused batches they were executed in */
  int64_t bytes;         /* of tensors, on this rank */
  double seconds_negotiating; /* from a request's submission to its response, summed over batches */
  double seconds_transferring;   /* reduction and transfer */
} ddl_counters;
DDL_API void ddl_read_counters(ddl_counters *counters);

/* The algorithm for a tensor list of this size ("hierarchical", "ring", "mpi", …); for people and tests. */
DDL_API const char *ddl_algorithm(int64_t bytes);

/* Accept no more requests, and wait until the accepted ones are done. If that takes longer than `seconds`, the next
 * action depends on the `status` that the process is about to exit with: 0, `ddl_shutdown`; -1 (unknown), nothing; any
 * other, `ddl_abort`. For languages whose memory is freed before the process exits. */
DDL_API int ddl_close(double seconds, int status);

/* Shut down: pending requests fail with DDL_SHUT_DOWN here, and on other ranks those that need this one. Then waits
 * until every rank has shut down, and finalises MPI if ddl_init initialised it. Called automatically at exit, and when
 * someone else finalises MPI. */
DDL_API int ddl_shutdown(void);

/* Abort the whole job now: prints the reason on stderr and calls MPI_Abort(status). In a forked child: ends that
 * process only. */
DDL_API void ddl_abort(const char *why, int status);

/* The message of this thread's last error; "" if there was none. Valid until the thread's next call. */
DDL_API const char *ddl_last_error(void);

/* Set this thread's last error; returns `code`. */
DDL_API int ddl_set_error(int code, const char *message);

#ifdef __cplusplus
}
#endif
#endif

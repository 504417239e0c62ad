/* ddl's engine: collectives over MPI between the processes of one training run. A plain C interface, with no
 * TensorFlow in it: TensorFlow's ops (tensorflow/ops.cc), ctypes and PyTorch use it alike.
 *
 * Everything lives in one shared library, `libddl_engine.so`; `ddl_MDR.so`, TensorFlow's skin, links with it and finds
 * it beside itself. A process has one engine, whoever loads the library first or twice.
 *
 * The contract
 * - Ranks may submit collectives in different orders and from several threads: rank 0 agrees with all ranks, by name,
 *   what runs next. So a collective has a name, the same on every rank. A name may be submitted again at any time;
 *   the later one waits for the earlier of the same name.
 * - A collective whose kind, reduction, root, types or shapes differ between ranks fails on every rank with DDL_MISMATCH, in
 *   words that name it. Ranks that all wait, each for a name that another has not submitted, fail after the stall time.
 * - A name with a line feed is one that many collectives share; what follows the line feed is the origin, which may be
 *   empty: where in the program they come from, such as `thread 2`. The order of such collectives is all that tells them
 *   apart, so it must be the program's own: ranks whose origins differ, or a second one while the first is in flight,
 *   are a DDL_MISMATCH on every rank, and so are all that follow under this name. An origin that begins with `!` says that the caller has seen a race itself.
 * - A rank that does not come is reported on rank 0's stderr after the stall time (who waits, for whom, with what), and
 *   again after each further such time; it is no error. A rank that has left (see `ddl_shutdown`) fails what waits for it with
 *   DDL_LEFT. A rank that died ends the job: mpirun sees to that. So does one that exits with another status than 0, at once:
 *   the job's status is that one.
 * - The engine belongs to the process that called `ddl_init`. A child that it forks can call everything; what would submit or wait
 *   is DDL_NOT_READY there, with words that say so, and the rest does nothing. It may exit as it likes.
 * - No function but `ddl_init`, `ddl_run`, `ddl_wait` and `ddl_shutdown` waits for another rank. One thread of the
 *   engine's own does all communication and calls all callbacks.
 * - Results are the same bits on every rank.
 *
 * Functions that return `int` return DDL_OK or one of the other codes; `ddl_last_error()` then has the words.
 */
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
  DDL_INVALID = 1,     /* an argument that cannot be: a mode whose dimensions do not give the number of ranks, … */
  DDL_NOT_READY = 2,   /* ddl_init has not been called, or was called a second time, or by the process that forked this one */
  DDL_MISMATCH = 3,    /* ranks differ about a collective */
  DDL_LEFT = 4,        /* a rank has left, so this collective can never be */
  DDL_FAILED = 5,      /* CUDA refused: the tensors are on another GPU than this rank's, … */
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
  DDL_BYTES = 6        /* broadcast only: nothing is known of the elements but how long they are (bool, complex64, …) */
};

/* One tensor: dense, row-major, in this process's memory. `input` and `output` may be the same address; otherwise they
 * must not overlap. Both must stay valid until the collective is done. `dims` and `element` are read before the call
 * returns. Where an element stands for something else than a number of `type`, `element` names it: complex64, two
 * DDL_FLOAT32 (`element_bytes` is 8); uint8, summed as DDL_INT32; bool, sent as DDL_BYTES. Ranks must agree about it. */
typedef struct ddl_tensor {
  const void *input;
  void *output;
  const int64_t *dims;
  int32_t ndims;
  int32_t type;        /* enum ddl_type */
  const char *element; /* NULL: the type's own name */
  int64_t element_bytes; /* bytes of one element, a multiple of the type's; 0: the type's */
} ddl_tensor;

/* Called once, from the engine's thread, when a collective is done: must be short and must not wait. `words` is "" when
 * `code` is DDL_OK, and valid during the call only. */
typedef void (*ddl_done)(void *context, int code, const char *words);

/* Start: MPI is initialised if no one has (mpi4py's is used if it is there, and must have been initialised with
 * MPI_THREAD_SERIALIZED at least, and MPI_THREAD_MULTIPLE if others call MPI too). Every rank must call it.
 *
 * options    DDL_OPTIONS as users wrote it: `-mode C:AxBxC`. C: b hierarchical, r ring, m MPI_Allreduce, n NCCL for tensors on
 *            GPUs and b for others, p the same but for others explores at start and picks by size. A: ranks per host, B: hosts,
 *            further dimensions: racks, aisles; the product must be the number of ranks. "" or NULL: p, with the hosts as they
 *            are. Also `-wire fp16|bf16` (fp32 travels between hosts in 16 bits), `-stall SECONDS`, `-explore SECONDS` (what p
 *            may take; 3). `-start SECONDS` is read and left to Python. Unknown options are ignored, with a word on rank 0's stderr.
 * local_rank this process's number on its host (its GPU); kept and given back.
 * A second call is DDL_NOT_READY. */
DDL_API int ddl_init(const char *options, int local_rank);

DDL_API int ddl_initialized(void);   /* 1 between ddl_init and ddl_shutdown */
DDL_API int ddl_rank(void);          /* 0 before ddl_init */
DDL_API int ddl_size(void);          /* 1 before ddl_init */
DDL_API int ddl_local_rank(void);    /* as given to ddl_init; 0 before */
DDL_API int ddl_local_size(void);    /* ranks on this host, as MPI sees them; 1 before */
DDL_API int ddl_num_hosts(void);     /* 1 before */

/* Submit a collective over `count` tensors, which are reduced as if they were one; types may be mixed. Returns at once.
 * `how` is the reduction (enum ddl_reduction), or a broadcast's root, the rank whose values all get.
 * If DDL_OK is returned, `done` will be called, once; otherwise it never is. */
DDL_API int ddl_enqueue(const char *name, int kind, int how, const ddl_tensor *tensors, int count, ddl_done done,
                        void *context);

/* The same with a handle (> 0) instead of a callback; 0 on error. Each handle must be waited for once. */
DDL_API int64_t ddl_start(const char *name, int kind, int how, const ddl_tensor *tensors, int count);
DDL_API int ddl_poll(int64_t handle); /* 1 if ddl_wait would not wait */
DDL_API int ddl_wait(int64_t handle); /* the collective's code; frees the handle */

/* Start and wait. */
DDL_API int ddl_run(const char *name, int kind, int how, const ddl_tensor *tensors, int count);

/* First of all, if at all: a folder of Python packages. NVIDIA's wheels are looked for in it, and in those folders that this
 * process's libraries came from: a framework that is imported later has none yet. */
DDL_API void ddl_look_in(const char *folder);

/* Whether CUDA sees a GPU in this process, and libddl_nccl.so is there for it. May be asked before ddl_init. */
DDL_API int ddl_sees_gpu(void);

/* ddl_enqueue for tensors in the memory of this rank's GPU: the one numbered by the local rank, or the only one that CUDA sees.
 * They have their values when `stream` (a cudaStream_t) comes to what it was given before this call; nobody waits for that here.
 * Results are there for every stream when `done` is called. By NCCL where all ranks can (see ddl_init and ddl_gpu_algorithm):
 * then all ranks' tensors of this collective must be on GPUs, or it is a DDL_MISMATCH. Otherwise by way of the hosts' memory,
 * where the others' may be anywhere. Where CUDA or NCCL fail later, the job ends, with words: no rank could go on. */
DDL_API int ddl_enqueue_on_gpu(const char *name, int kind, int how, const ddl_tensor *tensors, int count, void *stream,
                               ddl_done done, void *context);

/* How tensors on GPUs are reduced: "nccl", "host", or "" where this rank has no GPU. */
DDL_API const char *ddl_gpu_algorithm(void);

/* The divergence guard. Its collectives have names that begin with `guard: ` (DDL_GUARD_NAMES); before one is submitted, this says under the same
 * name how many training steps the rank has taken, 0 or more. Rank 0 then sees what no rank can see alone:
 * - More steps than there were reductions of all ranks: the rank trains by itself, and the collective fails with DDL_DIVERGED.
 *   (Each step of a synchronised training needs a reduction, so there can never be more.)
 * - All ranks wait, one of them with the guard's collective, and for 15 s nothing is new: likewise, with who waits for what.
 * - `guard: alone` is submitted by a rank that changes its variables although it reduces nothing. It fails with DDL_DIVERGED as
 *   soon as another rank waits for this one with another collective. It succeeds where all ranks submit it.
 * - `guard: end` is submitted by a rank whose program is over. It fails with DDL_LEFT as soon as another rank waits for this one with
 *   another collective: the rank then leaves, and is told of as one that has left. */
#define DDL_GUARD_NAMES "guard: "
DDL_API void ddl_guard_steps(const char *name, int64_t steps);

/* Steps that are taken where no Python runs, inside TensorFlow's functions: its op `GuardStep` counts them under a `key`, and has them
 * compared by what Python has registered, which is called in a thread of its own and may wait for other ranks. It returns DDL_OK or
 * `ddl_fail(code, words)`. Where nothing was registered, as in a program that has loaded another's graph, nothing is compared.
 * ddl_guard_count counts `more` steps and says how many there are then; may be called by any thread, and never waits. */
typedef int (*ddl_comparison)(int64_t key, int64_t steps);
DDL_API int64_t ddl_guard_count(int64_t key, int64_t more);
DDL_API void ddl_guard_compare_by(ddl_comparison compare);
DDL_API int ddl_guard_compare(int64_t key, int64_t steps);

/* Reductions other than the guard's that this rank has submitted so far. */
DDL_API int64_t ddl_reductions(void);

/* A digest of memory, the same on every machine of this byte order, for ever. Not cryptographic. */
DDL_API uint64_t ddl_digest(const void *data, int64_t bytes);

/* Seconds after which a rank that has not come is reported; 60, or the environment's DDL_STALL_SECONDS, at first. 0: never. */
DDL_API void ddl_set_stall_seconds(double seconds);

/* What the engine did so far. Times are seconds of the engine's thread. */
typedef struct ddl_counters {
  int64_t collectives;   /* requests that are done; the guard's are left out */
  int64_t batches;       /* what they were fused into */
  int64_t bytes;         /* of tensors, on this rank */
  double seconds_agreeing; /* from a request's arrival to the order to run it, summed over batches */
  double seconds_moving;   /* reducing and transferring */
} ddl_counters;
DDL_API void ddl_read_counters(ddl_counters *counters);

/* What this rank does with a tensor list of so many bytes, in words ("hierarchical", "ring", "mpi", …); for people and tests. */
DDL_API const char *ddl_algorithm(int64_t bytes);

/* Take no more requests, and wait until those that were taken are done. Where that takes longer than `seconds`, what follows
 * depends on the `status` that the process is going to exit with: 0, `ddl_shutdown`; -1 (it is not known), nothing; another,
 * `ddl_abort`. For languages whose memory is gone before the process exits. */
DDL_API int ddl_close(double seconds, int status);

/* Leave: requests that wait fail with DDL_LEFT here, and on the other ranks what would need this one. Then waits until every
 * rank has left, and finalises MPI if ddl_init initialised it. Called by itself at exit, and when someone else finalises MPI. */
DDL_API int ddl_shutdown(void);

/* End the whole job now: says why on stderr and calls MPI_Abort(status). In a forked child: end that process alone. */
DDL_API void ddl_abort(const char *why, int status);

/* The words of this thread's last error; "" if there was none. Valid until the thread's next call. */
DDL_API const char *ddl_last_error(void);

/* Have these be this thread's last error; gives `code` back. */
DDL_API int ddl_fail(int code, const char *words);

#ifdef __cplusplus
}
#endif
#endif

/* The GPU functions that the engine needs, in plain C. They are implemented by `libddl_nccl.so`, the only library that
 * is compiled with CUDA's and NCCL's headers, and only if they are installed. The engine loads it at run time, so the
 * same engine also serves machines without GPUs.
 *
 * Each function returns NULL, or an error message that is valid until the thread's next call. `count` and `record` may
 * be called by any thread; the others by the one that has called `open`. */
#ifndef DDL_GPU_FUNCTIONS_H
#define DDL_GPU_FUNCTIONS_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { DDL_NCCL_ID_BYTES = 128 }; /* ncclUniqueId */
enum ddl_gpu_state { DDL_GPU_READY = 0, DDL_GPU_BUSY = 1, DDL_GPU_FAILED = 2 };

typedef struct ddl_gpu ddl_gpu; /* one GPU of this process, with its own stream; never freed */

/* One tensor of a collective, in GPU memory. */
typedef struct ddl_gpu_tensor {
  const void *input;
  void *output;
  size_t count;        /* elements, at least one */
  int kind, op_or_root;       /* enum ddl_kind; enum ddl_reduction, or a broadcast's root */
  int type;            /* enum ddl_type */
} ddl_gpu_tensor;

typedef struct ddl_gpu_functions {
  /* Must be called first: a directory of Python packages to search for NVIDIA's wheels. */
  void (*add_search_path)(const char *folder);
  /* Number of GPUs that CUDA sees. */
  const char *(*count)(int *gpus);
  /* GPU number `local_rank`, or the only one there is. */
  const char *(*open)(int local_rank, ddl_gpu **gpu);
  /* Its PCI address, to show and to tell it from others of this machine. Never fails. */
  const char *(*address)(const ddl_gpu *gpu);
  /* Records an event in `stream` (a cudaStream_t on the device of `tensor`). */
  const char *(*record)(ddl_gpu *gpu, void *stream, const void *tensor, void **event);

  /* Makes our stream wait for `event`, and takes the event back. */
  const char *(*wait_event)(ddl_gpu *gpu, void *event);
  /* Asynchronous copy in our stream, between GPU and host memory; `finish` waits for it. */
  const char *(*copy)(ddl_gpu *gpu, void *to, const void *from, size_t bytes);
  const char *(*finish)(ddl_gpu *gpu);
  /* A page-locked host buffer. It is reused: pointers from earlier calls become invalid. */
  const char *(*pinned_buffer)(ddl_gpu *gpu, size_t bytes, void **memory);

  /* Loads NCCL's library. */
  const char *(*load_nccl)(ddl_gpu *gpu);
  /* Called on rank 0, which sends it to all. */
  const char *(*unique_id)(ddl_gpu *gpu, char id[DDL_NCCL_ID_BYTES]);
  /* Begins to initialise the communicator. Collective. Complete when `check` no longer returns DDL_GPU_BUSY. */
  const char *(*connect)(ddl_gpu *gpu, const char id[DDL_NCCL_ID_BYTES], int rank, int size);
  const char *(*check)(ddl_gpu *gpu, int *state);
  /* Enqueues the collectives of `count` tensors in our stream as one group, and an event after them. */
  const char *(*enqueue_group)(ddl_gpu *gpu, const ddl_gpu_tensor *tensors, size_t count, void **event);
  /* DDL_GPU_READY once `event` has completed; the event is then taken back. An error message if the communicator has
   * failed meanwhile. */
  const char *(*query_event)(ddl_gpu *gpu, void *event, int *state);
  /* Aborts what is in flight, whatever the peers do. */
  void (*disconnect)(ddl_gpu *gpu);
} ddl_gpu_functions;

/* The only symbol of libddl_nccl.so. */
#define DDL_GPU_ENTRY "ddl_gpu_entry"
typedef const ddl_gpu_functions *(*ddl_gpu_entry_type)(void);

#ifdef __cplusplus
}
#endif
#endif

/* What the engine asks of a GPU, as plain C functions. `libddl_nccl.so` has them: it alone is compiled with CUDA's and
 * NCCL's headers, and only where they are. The engine loads it at run time, so the same engine serves machines without.
 *
 * Each function returns NULL, or in words what could not be, valid until the thread's next call. `count` and `record` may be
 * called by any thread; the others by the one that has called `open`.
 */
#ifndef DDL_GPU_FUNCTIONS_H
#define DDL_GPU_FUNCTIONS_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { DDL_NCCL_ID_BYTES = 128 }; /* ncclUniqueId */
enum ddl_gpu_state { DDL_GPU_READY = 0, DDL_GPU_BUSY = 1, DDL_GPU_FAILED = 2 };

typedef struct ddl_gpu ddl_gpu; /* one GPU of this process, with a stream of ours; it lives as long as the process */

/* One tensor of a collective, in the GPU's memory. */
typedef struct ddl_gpu_piece {
  const void *input;
  void *output;
  size_t count;        /* elements, at least one */
  int kind, how;       /* enum ddl_kind; enum ddl_reduction, or a broadcast's root */
  int type;            /* enum ddl_type */
} ddl_gpu_piece;

typedef struct ddl_gpu_functions {
  /* First of all: a folder of Python packages where NVIDIA's wheels may be. */
  void (*look_in)(const char *folder);
  /* How many GPUs CUDA sees. */
  const char *(*count)(int *gpus);
  /* GPU number `local_rank`, or the only one there is. */
  const char *(*open)(int local_rank, ddl_gpu **gpu);
  /* Where it is in this machine, for a person and to tell it from others: its PCI address. Never fails. */
  const char *(*address)(const ddl_gpu *gpu);
  /* An event after all that `stream` (a cudaStream_t; `tensor` lies where it works) was given so far. */
  const char *(*record)(ddl_gpu *gpu, void *stream, const void *tensor, void **event);

  /* Our stream goes on after `event`, which is ours again. */
  const char *(*follow)(ddl_gpu *gpu, void *event);
  /* Copies in our stream, between the GPU's memory and the host's; `finish` waits for them. */
  const char *(*copy)(ddl_gpu *gpu, void *to, const void *from, size_t bytes);
  const char *(*finish)(ddl_gpu *gpu);
  /* Memory of the host's that copies are fast with. Kept: what was given before is gone. */
  const char *(*host_memory)(ddl_gpu *gpu, size_t bytes, void **memory);

  /* Whether NCCL's library is there. */
  const char *(*find_nccl)(ddl_gpu *gpu);
  /* For rank 0, which tells it to all. */
  const char *(*make_id)(ddl_gpu *gpu, char id[DDL_NCCL_ID_BYTES]);
  /* Begins to connect all ranks; every rank calls it. Ends when `check` no longer says DDL_GPU_BUSY. */
  const char *(*connect)(ddl_gpu *gpu, const char id[DDL_NCCL_ID_BYTES], int rank, int size);
  const char *(*check)(ddl_gpu *gpu, int *state);
  /* Gives our stream the collectives of `count` pieces as one group, and an event after them. */
  const char *(*collect)(ddl_gpu *gpu, const ddl_gpu_piece *pieces, size_t count, void **event);
  /* DDL_GPU_READY once `event`, which then is ours again, has passed; words if the connection has failed meanwhile. */
  const char *(*passed)(ddl_gpu *gpu, void *event, int *state);
  /* Ends what is under way, whatever the peers do. */
  void (*disconnect)(ddl_gpu *gpu);
} ddl_gpu_functions;

/* The one symbol of libddl_nccl.so. */
#define DDL_GPU_ENTRY "ddl_gpu_entry"
typedef const ddl_gpu_functions *(*ddl_gpu_entry_type)(void);

#ifdef __cplusplus
}
#endif
#endif

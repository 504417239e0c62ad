// A STAND-IN for CUDA's runtime, for machines without a GPU: what the stand-in for NCCL needs of it.
//
// "Device memory" is the host's, but at addresses that no one can touch: who takes a device's address for the host's dies of it.
// A stream does nothing by itself: what it was given is done when someone asks for an event, or waits for the stream, and
// then in order. So a program that looks at results too early, or forgets an event, finds the old values.
#ifndef STAND_IN_CUDART_H
#define STAND_IN_CUDART_H

#include <functional>

#include <cuda_runtime_api.h>

namespace stand_in {

// One piece of a stream's work. It is called until it says that it is done.
typedef std::function<bool()> Work;
void give(cudaStream_t stream, Work work);

// Where the bytes of a device's address really are; an address of the host's as it is.
char* real(const void* address);

}  // namespace stand_in

#endif

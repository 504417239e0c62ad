// CUDA's runtime and NCCL, loaded at run time: their functions by name, with the types of the headers.
#ifndef DDL_NCCL_LIBRARIES_H
#define DDL_NCCL_LIBRARIES_H

#include <cuda_runtime_api.h>
// nccl.h includes headers of number types that it does not use and that need <nv/target>, from a wheel that TensorFlow
// does not install. So they are marked as included.
#define __CUDA_FP16_H__
#define __CUDA_BF16_H__
#define __CUDA_FP8_H__
#include <nccl.h>

#include <string>

#if CUDART_VERSION < 12000 || NCCL_VERSION_CODE < NCCL_VERSION(2, 14, 0)
#error "ddl needs CUDA 12 or newer and NCCL 2.14 or newer: earlier ones have no non-blocking communicators"
#endif

// Every function that is used; tests link each one against the real libraries.
#define DDL_CUDA_FUNCTIONS(X)                                                                                          \
  X(cudaDeviceGetPCIBusId) X(cudaEventCreateWithFlags) X(cudaEventQuery) X(cudaEventRecord) X(cudaGetDevice)           \
  X(cudaGetDeviceCount) X(cudaGetErrorString) X(cudaHostRegister) X(cudaHostUnregister) X(cudaMemcpyAsync)             \
  X(cudaPointerGetAttributes) X(cudaSetDevice) X(cudaStreamCreateWithFlags) X(cudaStreamSynchronize)                   \
  X(cudaStreamWaitEvent)
#define DDL_NCCL_FUNCTIONS(X)                                                                                          \
  X(ncclAllReduce) X(ncclBroadcast) X(ncclCommAbort) X(ncclCommGetAsyncError) X(ncclCommInitRankConfig)                \
  X(ncclGetErrorString) X(ncclGetLastError) X(ncclGetUniqueId) X(ncclGroupEnd) X(ncclGroupStart)

namespace ddl {

#define DDL_MEMBER(name) decltype(&::name) name;
struct Cuda {
  DDL_CUDA_FUNCTIONS(DDL_MEMBER)
};
struct Nccl {
  DDL_NCCL_FUNCTIONS(DDL_MEMBER)
};
#undef DDL_MEMBER

// An additional directory of Python packages to search; before the first call of what follows.
void add_search_path(const std::string& folder);

// The library, opened at the first call and never closed; null on error, with the reason in `why`.
const Cuda* cuda(std::string* why);
const Nccl* nccl(std::string* why);

}  // namespace ddl

#endif

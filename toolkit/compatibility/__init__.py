"""Which framework runs with which Python, glibc, CUDA, cuDNN, NCCL, driver, GPU and Open MPI; docs/compatibility.md."""

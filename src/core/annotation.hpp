#pragma once

// What is computed on a GPU is the same source as what is computed on the host.

#ifdef __CUDACC__
#define PTYLE_HOST_DEVICE __host__ __device__ __forceinline__
#else
#define PTYLE_HOST_DEVICE [[gnu::always_inline]] inline
#endif

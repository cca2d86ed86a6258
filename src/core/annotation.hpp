#pragma once

// A GPU computes by the same source as the host.

#ifdef __CUDACC__
#define PTYLE_HOST_DEVICE __host__ __device__ __forceinline__
#else
#define PTYLE_HOST_DEVICE [[gnu::always_inline]] inline
#endif

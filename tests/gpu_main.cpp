// The main of test programs some of whose tests want a GPU. With --needs-gpu, where there is none,
// it says so in one sentence and ends with exit status 77.

#include <gtest/gtest.h>

#include <cstdio>
#include <cstring>

#include "device/gpu.hpp"

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--needs-gpu") != 0) {
      std::fprintf(stderr, "there is no option '%s'; of its own this program has --needs-gpu\n",
                   argv[i]);
      return 2;
    }
    if (const ptyle::GpuCensus census = ptyle::find_gpus(); census.gpus.empty()) {
      std::printf("no GPU: %s\n", census.built ? census.why_none.c_str() : "built without CUDA");
      return 77;
    }
  }
  return RUN_ALL_TESTS();
}

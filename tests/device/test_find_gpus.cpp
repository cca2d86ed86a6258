// GPUs that there are, found without one, and cuFFT.

#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <string>

#include "core/error.hpp"
#include "device/gpu.hpp"
#ifdef PTYLE_CUDA
#include "device/cuda/cufft.hpp"
#endif

namespace ptyle {
namespace {

TEST(FindGpus, ClustersAreWhereTheNewestCodeForAGpuKnowsThem) {
  const int both[] = {80, 90}, old[] = {80}, older[] = {70, 75};
  EXPECT_TRUE(has_clusters(90, both));
  EXPECT_TRUE(has_clusters(120, both));  // its code is made from that for 9.0
  EXPECT_FALSE(has_clusters(89, both));
  EXPECT_FALSE(has_clusters(90, old));
  EXPECT_FALSE(has_clusters(90, older));
  EXPECT_FALSE(has_clusters(70, both));
}

TEST(FindGpus, SaysWhyThereIsNone) {
  const GpuCensus census = find_gpus();
  EXPECT_EQ(census.built && census.gpus.empty(), !census.why_none.empty()) << census.why_none;
}

#ifdef PTYLE_CUDA
TEST(CuFft, SaysWhatToInstallWhereItIsMissing) {
  try {
    cuda::load_cufft({"libcufft.so.0", "/nowhere/libcufft.so.0"});
    ADD_FAILURE() << "found what is not there";
  } catch (const UserError& e) {
    const std::string reported = e.what();
    EXPECT_NE(reported.find("pip install nvidia-cufft"), std::string::npos) << reported;
    EXPECT_NE(reported.find("libcufft-1"), std::string::npos) << reported;
  }
}

TEST(CuFft, ADamagedLibraryIsTold) {
  // The C library can be loaded, but is none.
  EXPECT_THROW(cuda::load_cufft({"libc.so.6"}), UserError);
  const std::string empty = testing::TempDir() + "libcufft-empty.so";
  std::ofstream(empty).close();
  try {
    cuda::load_cufft({empty});
    ADD_FAILURE() << "an empty file was loaded";
  } catch (const UserError& e) {
    EXPECT_NE(std::string(e.what()).find("cannot be loaded: " + empty), std::string::npos)
        << e.what();
  }
  std::remove(empty.c_str());
}

TEST(CuFft, OfTheToolkitThatWasBuiltWithHasAllFunctions) {
  if (const auto why = cuda::why_no_cufft(); !why.empty()) GTEST_SKIP() << why;
  EXPECT_NE(cuda::cufft().run_double, nullptr);
}
#endif

}  // namespace
}  // namespace ptyle

#pragma once

// cuFFT, found when it is first needed: a program that was built with CUDA also starts where there
// is none.

#include <cufft.h>

#include <string>
#include <vector>

namespace ptyle::cuda {

struct CuFft {
  decltype(&cufftCreate) create;
  decltype(&cufftDestroy) destroy;
  decltype(&cufftSetAutoAllocation) set_auto_allocation;
  decltype(&cufftMakePlanMany64) make_plan_many;
  decltype(&cufftSetStream) set_stream;
  decltype(&cufftSetWorkArea) set_work_area;
  decltype(&cufftExecC2C) run_float;
  decltype(&cufftExecZ2Z) run_double;
};

/// The functions of the first of these libraries that can be loaded. Throws UserError, which says
/// what to install, where none can be.
CuFft load_cufft(const std::vector<std::string>& libraries);

/// The cuFFT of this machine: where the loader looks, then in $CUDA_HOME, the toolkit of the build
/// and /usr/local/cuda. Throws as load_cufft.
const CuFft& cufft();

/// The message that cufft() throws; empty where it is there.
std::string why_no_cufft();

}  // namespace ptyle::cuda

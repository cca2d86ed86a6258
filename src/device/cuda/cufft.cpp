#include "device/cuda/cufft.hpp"

#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>

#include "core/error.hpp"

namespace ptyle::cuda {
namespace {

const std::string name = "libcufft.so." + std::to_string(CUFFT_VER_MAJOR);

std::vector<std::string> candidates() {
  std::vector<std::string> all{name};
  if (const char* home = std::getenv("CUDA_HOME"))
    all.push_back(std::string(home) + "/lib64/" + name);
  all.push_back(PTYLE_CUDA_LIBRARIES "/" + name);
  all.push_back("/usr/local/cuda/lib64/" + name);
  return all;
}

/// The function of this name has the type of `to`.
template <class Function>
void find(void* library, const char* function, Function& to) {
  void* const at = dlsym(library, function);
  if (!at) throw UserError(name + " has no " + function + ": is it damaged?");
  to = reinterpret_cast<Function>(at);
}

}  // namespace

CuFft load_cufft(const std::vector<std::string>& libraries) {
  void* library = nullptr;
  for (const auto& one : libraries) {
    if (!library) library = dlopen(one.c_str(), RTLD_NOW | RTLD_LOCAL);
    const char* const why = library ? nullptr : dlerror();
    if (why && std::filesystem::exists(one))  // there, but of no use
      throw UserError(std::string("cuFFT cannot be loaded: ") + why);
  }
  if (!library)
    throw UserError("cuFFT (" + name +
                    ") was not found: install it (pip install nvidia-cufft, or " +
                    "CUDA's package libcufft-" + std::to_string(PTYLE_CUDA_MAJOR) + "-" +
                    std::to_string(PTYLE_CUDA_MINOR) + ") and name its folder in LD_LIBRARY_PATH");
  CuFft functions{};
  find(library, "cufftCreate", functions.create);
  find(library, "cufftDestroy", functions.destroy);
  find(library, "cufftSetAutoAllocation", functions.set_auto_allocation);
  find(library, "cufftMakePlanMany64", functions.make_plan_many);
  find(library, "cufftSetStream", functions.set_stream);
  find(library, "cufftSetWorkArea", functions.set_work_area);
  find(library, "cufftExecC2C", functions.run_float);
  find(library, "cufftExecZ2Z", functions.run_double);
  return functions;  // the library stays
}

const CuFft& cufft() {
  static const CuFft functions = load_cufft(candidates());
  return functions;
}

std::string why_no_cufft() {
  try {
    cufft();
    return {};
  } catch (const UserError& e) {
    return e.what();
  }
}

}  // namespace ptyle::cuda

#include "app/fft_memory.hpp"

#include <cstdlib>
#include <filesystem>
#include <string>

#include "device/cpu/fft.hpp"

namespace fs = std::filesystem;

namespace ptyle {
namespace {

/// Empty where there is none or it cannot be made.
std::string cache_folder() {
  const char* cache = std::getenv("XDG_CACHE_HOME");
  const char* home = std::getenv("HOME");
  fs::path folder;
  if (cache && *cache)
    folder = cache;
  else if (home && *home)
    folder = fs::path(home) / ".cache";
  else
    return {};
  folder /= "ptyle";
  std::error_code failed;
  fs::create_directories(folder, failed);
  return failed ? std::string() : folder.string();
}

}  // namespace

FftMemory::FftMemory() {
  if (const auto folder = cache_folder(); !folder.empty()) load_fft_wisdom(folder);
}

FftMemory::~FftMemory() {
  try {
    if (const auto folder = cache_folder(); !folder.empty()) save_fft_wisdom(folder);
  } catch (...) {  // what is not learnt today is learnt tomorrow
  }
}

}  // namespace ptyle

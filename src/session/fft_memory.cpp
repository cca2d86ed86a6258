#include "session/fft_memory.hpp"

#include <cstdlib>
#include <exception>
#include <filesystem>
#include <string>

#include "device/cpu/fft.hpp"

namespace fs = std::filesystem;

namespace ptyle {
namespace {

/// Empty where nobody says which.
fs::path cache_folder() {
  const char* cache = std::getenv("XDG_CACHE_HOME");
  const char* home = std::getenv("HOME");
  fs::path folder;
  if (cache && *cache)
    folder = cache;
  else if (home && *home)
    folder = fs::path(home) / ".cache";
  else
    return {};
  return folder / "ptyle";
}

}  // namespace

FftMemory::FftMemory(bool writes) : writes_(writes) {
  if (const auto folder = cache_folder(); !folder.empty()) load_fft_wisdom(folder);
}

FftMemory::~FftMemory() {
  if (!writes_ || std::uncaught_exceptions() > 0) return;
  try {
    if (const auto folder = cache_folder(); !folder.empty()) save_fft_wisdom(folder);
  } catch (...) {  // what is not learnt today is learnt tomorrow
  }
}

}  // namespace ptyle

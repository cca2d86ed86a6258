#include "core/parallel.hpp"

#include <sched.h>

#include <algorithm>
#include <cstdlib>

namespace ptyle {
namespace {

/// The first number of OMP_NUM_THREADS ("8", or "8,2" of nested loops); 0: it says none.
long asked_by_environment() {
  const char* text = std::getenv("OMP_NUM_THREADS");
  if (!text) return 0;
  char* end = nullptr;
  const long threads = std::strtol(text, &end, 10);
  while (*end == ' ') ++end;
  return end != text && (*end == '\0' || *end == ',') ? std::max(threads, 0L) : 0;
}

}  // namespace

int available_threads() {
  cpu_set_t may;
  const int there = sched_getaffinity(0, sizeof may, &may) == 0 ? CPU_COUNT(&may) : 1;
  const long asked = asked_by_environment();
  return asked > 0 ? static_cast<int>(std::min<long>(asked, there)) : there;
}

}  // namespace ptyle

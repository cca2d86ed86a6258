#pragma once

#include <omp.h>

#include <exception>
#include <future>
#include <system_error>
#include <utility>

#include "core/array.hpp"

namespace ptyle {

/// Calls work(i, thread) for i = 0 … n−1 on `threads` threads, whichever is free taking the next i:
/// when i is begun, all before it have been begun, so i may wait for them.
/// The first exception is carried out to the caller.
template <class Work>
void parallel_for(i64 n, int threads, Work&& work) {
  std::exception_ptr failure;
#pragma omp parallel for num_threads(threads) schedule(monotonic : dynamic, 1)
  for (i64 i = 0; i < n; ++i) {
    try {
      work(i, omp_get_thread_num());
    } catch (...) {
#pragma omp critical(ptyle_parallel_for)
      if (!failure) failure = std::current_exception();
    }
  }
  if (failure) std::rethrow_exception(failure);
}

/// Starts work() on a thread of its own; does it at once where the system has no thread left. An
/// exception is carried out by get().
template <class Work>
auto on_a_thread(Work work) {
  try {
    return std::async(std::launch::async, work);
  } catch (const std::system_error&) {
    auto done = std::async(std::launch::deferred, work);
    done.wait();
    return done;
  }
}

/// Number of threads to use where the user gave 0: what the operating system lets this process
/// have.
inline int available_threads() { return omp_get_num_procs(); }

}  // namespace ptyle

#pragma once

#include <algorithm>
#include <atomic>
#include <exception>
#include <functional>
#include <future>
#include <mutex>
#include <system_error>
#include <utility>

#include "core/array.hpp"
#include "core/crew.hpp"
#include "core/pulse.hpp"
#include "core/stop.hpp"

namespace ptyle {

/// Calls work(i, thread) for i = 0 … n−1 on `threads` threads, whichever is free taking the next i:
/// when i is begun, all before it have been begun, so i may wait for them. Inside such work, and
/// with one thread, the caller does all.
/// The first exception is carried out to the caller. The end of a loop is a stop point (core/stop).
template <class Work>
void parallel_for(i64 n, int threads, Work&& work) {
  std::atomic<i64> next{0};
  std::mutex failing;
  std::exception_ptr failure;
  const auto take = [&](int thread) {
    for (i64 i = next++; i < n; i = next++) {
      try {
        work(i, thread);
      } catch (...) {
        const std::lock_guard lock(failing);
        if (!failure) failure = std::current_exception();
      }
      beat();
    }
  };
  const auto most = static_cast<int>(std::min<i64>(n, threads));
  if (most > 1 && !Crew::at_work())
    Crew::of_this_thread().run(most, std::ref(take));
  else
    take(0);
  if (failure) std::rethrow_exception(failure);
  stop_point();
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
/// have, or what OMP_NUM_THREADS says, where that is less.
int available_threads();

}  // namespace ptyle

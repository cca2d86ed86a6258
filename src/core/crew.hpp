#pragma once

// Threads that a thread keeps for its parallel loops (core/parallel.hpp): started when first
// needed, asleep between loops that are far apart.

#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "core/rising_number.hpp"

namespace ptyle {

class Crew {
 public:
  /// The calling thread's; it ends with the thread.
  static Crew& of_this_thread();
  /// True within work of a crew, where loops run on the thread that they are met by.
  static bool at_work();

  Crew() = default;
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;
  ~Crew();

  /// Calls work(0) … work(threads − 1) at once, work(0) on the calling thread; fewer of them where
  /// the system has no more threads. Work must not throw.
  void run(int threads, const std::function<void(int)>& work);

 private:
  struct alignas(64) Worker {  // cache lines of its own
    RisingNumber asked, done;  // the last run
    int number = 0;            // what its work is called with
    std::thread thread;
  };
  /// As many workers as there are, at most `wanted`.
  std::size_t grow(int wanted);
  /// Takes part in the runs after `served` that it is asked for.
  void serve(Worker& worker, i64 served) const;

  std::vector<std::unique_ptr<Worker>> workers_;
  const std::function<void(int)>* work_ = nullptr;  // null: the end
  i64 runs_ = 0;
};

}  // namespace ptyle

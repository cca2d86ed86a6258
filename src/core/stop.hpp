#pragma once

// Work that may be called off: long work passes stop points, and whoever started it says whether to
// stop there. Nothing half made is left, as by any exception.

#include <functional>

namespace ptyle {

/// The work was called off; for the one who asked for it alone, so that nobody takes it for a
/// fault.
struct Stopped {};

/// While it lives, `asked` is asked at stop points of the thread that made it, often: it has to be
/// quick. Only where no other process waits for this one.
class StopGuard {
 public:
  explicit StopGuard(std::function<bool()> asked);
  ~StopGuard();
  StopGuard(const StopGuard&) = delete;
  StopGuard& operator=(const StopGuard&) = delete;

 private:
  std::function<bool()> asked_;
  const std::function<bool()>* before_;
};

/// Throws Stopped where this thread's work is to stop; never within work of a crew, some of which
/// may wait for other.
void stop_point();

}  // namespace ptyle

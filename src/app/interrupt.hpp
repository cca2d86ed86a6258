#pragma once

namespace ptyle {

/// While it lives, the first Ctrl-C (SIGINT) or SIGTERM only notes that the run is to end soon; the
/// second ends the program at once, as ever.
class InterruptGuard {
 public:
  InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;
  ~InterruptGuard();
  [[nodiscard]] static bool asked();
  [[nodiscard]] static bool by_keyboard();
};

}  // namespace ptyle

#pragma once

namespace ptyle {

/// While it lives, the first Ctrl-C (SIGINT) only notes that the run is to end soon; the second
/// ends the program at once, as ever. SIGTERM, SIGUSR1 and, unless it is ignored (nohup), SIGHUP
/// note the same, however often they come: batch systems and launchers repeat them, and end by
/// SIGKILL what does not end. (mpirun passes SIGUSR1 on to the ranks; at SIGTERM it ends them
/// itself.)
class InterruptGuard {
 public:
  /// `speaks`: a Ctrl-C is answered on stderr at once; by one rank of several.
  explicit InterruptGuard(bool speaks = true);
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;
  ~InterruptGuard();
  [[nodiscard]] static bool asked();
  [[nodiscard]] static bool by_keyboard();
};

}  // namespace ptyle

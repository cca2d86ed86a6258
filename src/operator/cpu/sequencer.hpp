#pragma once

// Positions are computed by several threads at once, but add to the shared sums in their order, so
// that the sums are the same bits for any number of threads. Each slot (a slice, say) has a turn of
// its own: position k may add to it once position k − 1 has.

#include <atomic>
#include <vector>

#include "core/array.hpp"

namespace ptyle::cpu {

class Sequencer {
 public:
  explicit Sequencer(i64 slots) : slots_(static_cast<std::size_t>(slots)) {}

  /// Waits until all positions before this one have added to the slot; false: one of them failed.
  [[nodiscard]] bool wait(i64 slot, i64 position) {
    auto& done = slots_[static_cast<std::size_t>(slot)].done;
    for (int i = 0; i < glances && done.load(std::memory_order_acquire) < position; ++i) pause();
    for (i64 now = done.load(std::memory_order_acquire); now < position;
         now = done.load(std::memory_order_acquire))
      done.wait(now, std::memory_order_acquire);
    return !failed_.load(std::memory_order_relaxed);
  }
  void done(i64 slot, i64 position) {
    auto& done = slots_[static_cast<std::size_t>(slot)].done;
    i64 own = position;  // unless somebody failed meanwhile
    done.compare_exchange_strong(own, position + 1, std::memory_order_release);
    done.notify_all();
  }
  /// A position failed: nobody waits any more.
  void abandon() {
    failed_ = true;
    for (auto& slot : slots_) {
      slot.done = never;
      slot.done.notify_all();
    }
  }

 private:
  /// A wait is mostly shorter than another thread's row sweeps through a slice, about 0.1 ms, while
  /// to be woken takes as long: so many looks, of 20 to 50 ns each on x86, come before sleeping.
  static constexpr int glances = 8192;
  static void pause() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
  }

  static constexpr i64 never = i64{1} << 62;
  struct alignas(64) Slot {  // a cache line each
    std::atomic<i64> done{0};
  };
  std::vector<Slot> slots_;
  std::atomic<bool> failed_{false};
};

}  // namespace ptyle::cpu

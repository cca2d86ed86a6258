#pragma once

// Positions are computed by several threads at once, but add to the shared sums in their order, so
// that the sums are the same bits for any number of threads. Each slot (a slice, say) has a turn of
// its own: position k may add to it once position k − 1 has.

#include <atomic>
#include <vector>

#include "core/array.hpp"
#include "core/rising_number.hpp"

namespace ptyle::cpu {

class Sequencer {
 public:
  explicit Sequencer(i64 slots) : slots_(static_cast<std::size_t>(slots)) {}

  /// Waits until all positions before this one have added to the slot; false: one of them failed.
  [[nodiscard]] bool wait(i64 slot, i64 position) {
    slots_[static_cast<std::size_t>(slot)].done.wait_for(position);
    return !failed_.load(std::memory_order_relaxed);
  }
  void done(i64 slot, i64 position) {
    slots_[static_cast<std::size_t>(slot)].done.raise_to(position + 1);
  }
  /// A position failed: nobody waits any more.
  void abandon() {
    failed_ = true;
    for (auto& slot : slots_) slot.done.raise_to(never);
  }

 private:
  static constexpr i64 never = i64{1} << 62;
  struct alignas(64) Slot {  // a cache line each
    RisingNumber done;
  };
  std::vector<Slot> slots_;
  std::atomic<bool> failed_{false};
};

}  // namespace ptyle::cpu

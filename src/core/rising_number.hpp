#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>

#include "core/array.hpp"
#include "core/pulse.hpp"

namespace ptyle {

/// A number, 0 at first, that threads raise and others wait for.
///
/// Most waits are shorter than a wake-up takes, some 0.05 ms: who waits looks at the number for
/// about as long, and then sleeps. Where other programs keep the processors busy, to look on, or to
/// yield as the library's std::atomic::wait does, takes the time of the thread that is waited for.
class RisingNumber {
 public:
  [[nodiscard]] i64 now() const { return number_.load(std::memory_order_acquire); }
  /// Nothing where it is as high already.
  void raise_to(i64 value) {
    {
      const std::lock_guard lock(mutex_);
      if (value > now()) number_.store(value, std::memory_order_release);
    }
    raised_.notify_all();
  }
  /// Returns once it is `least` or more.
  void wait_for(i64 least) {
    constexpr int looks = 1000;  // of 20 to 50 ns each on x86
    for (int i = 0; i < looks && now() < least; ++i) pause();
    if (now() >= least) return;
    std::unique_lock lock(mutex_);
    const auto high = [&] { return now() >= least; };
    if (!has_pulse_listener()) return raised_.wait(lock, high);
    while (!raised_.wait_for(lock, std::chrono::milliseconds(500), high)) waiting_pulse();
  }

 private:
  static void pause() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
  }

  std::atomic<i64> number_{0};
  std::mutex mutex_;
  std::condition_variable raised_;
};

}  // namespace ptyle

#pragma once

// Signs of life of this process. Whoever has done a piece of work that may be long (a slice of a
// position, a block of a file) says so by beat(), on any thread. Who waits for the process tells by
// their number whether it goes on; nobody else looks at them.

#include <algorithm>
#include <array>
#include <chrono>
#include <future>
#include <string>

#include "core/array.hpp"

namespace ptyle {

/// Another piece of work is done. Costs some 10 ns.
void beat() noexcept;
/// So many were, by all threads.
[[nodiscard]] i64 beats() noexcept;

/// The work that the process is about, for messages: "computing iteration 3 of 20".
void set_stage(const std::string& stage);
[[nodiscard]] std::string current_stage();
/// As much of a text as has room before a '\0'; the rest is '\0', too.
template <std::size_t N>
void copy_text(const std::string& text, std::array<char, N>& to) noexcept {
  to.fill('\0');
  std::copy_n(text.begin(), std::min(text.size(), N - 1), to.begin());
}
/// The stage without memory, cut where it is longer; ends with '\0'.
using StageText = std::array<char, 128>;
void copy_stage(StageText& to) noexcept;

/// Is called on its thread at every beat there, and twice a second while that thread waits for
/// others; it must be quick.
class PulseListener {
 public:
  virtual ~PulseListener() = default;
  virtual void on_pulse() noexcept = 0;
};
/// The listener of the calling thread from now on; nullptr: none.
void set_pulse_listener(PulseListener* listener) noexcept;
[[nodiscard]] bool has_pulse_listener() noexcept;
/// The calling thread waits for other threads of the process: its listener is called, no work done.
void waiting_pulse() noexcept;

/// Waits for what another thread does.
template <class T>
void wait_with_pulse(const std::future<T>& work) {
  while (work.wait_for(std::chrono::milliseconds(500)) == std::future_status::timeout)
    waiting_pulse();
}

}  // namespace ptyle

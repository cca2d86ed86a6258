#include "core/pulse.hpp"

#include <atomic>
#include <mutex>

namespace ptyle {
namespace {

std::atomic<i64> count{0};
thread_local PulseListener* listener = nullptr;
std::mutex stage_mutex;
StageText stage_now{"starting"};

}  // namespace

void beat() noexcept {
  count.fetch_add(1, std::memory_order_relaxed);
  if (listener) listener->on_pulse();
}

i64 beats() noexcept { return count.load(std::memory_order_relaxed); }

void set_stage(const std::string& stage) {
  {
    const std::lock_guard lock(stage_mutex);
    copy_text(stage, stage_now);
  }
  beat();
}

std::string current_stage() {
  StageText text;
  copy_stage(text);
  return text.data();
}

void copy_stage(StageText& to) noexcept {
  const std::lock_guard lock(stage_mutex);
  to = stage_now;
}

void set_pulse_listener(PulseListener* mine) noexcept { listener = mine; }
bool has_pulse_listener() noexcept { return listener != nullptr; }
void waiting_pulse() noexcept {
  if (listener) listener->on_pulse();
}

}  // namespace ptyle

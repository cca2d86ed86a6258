#pragma once

// Ranks that stand still: stopped, dead-locked, or waiting for a machine or a file system that does
// not answer. A rank that computes for long does not, as long as it beats (core/pulse).
//
//   1. every rank sends its pulse (its beats, whether it waits for others, its stage) to rank 0,
//      and rank 0 to the last rank: from waits, and at beats of the main thread. So one thread
//      alone talks to MPI, as MPI_THREAD_FUNNELED asks; a rank that stands still sends none
//   2. who waits for others, and gets pulses, looks at them: a rank that has neither beaten nor
//      waited for the whole limit stands still; where all wait, and none has beaten, a message was
//      lost. It ends all ranks with one sentence
//   3. all may stand still in one file system, so that nobody looks: a thread of each process
//      watches its own beats. It speaks later than 2 would, the threads one after the other
//
// Only time in which somebody looked on counts: after the one who looks was away itself, computing
// or stopped, the count begins anew. The clock stands still while the machine is suspended
// (CLOCK_MONOTONIC).

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/pulse.hpp"

namespace ptyle {

class Watchdog final : private PulseListener {
 public:
  /// Ends all ranks for this one, and does not return.
  using EndAll = std::function<void(int rank, const std::string& sentence)>;
  /// This rank's of MPI_COMM_WORLD; made and ended by all ranks together, on the main thread.
  Watchdog(int rank, int size, EndAll end_all);
  ~Watchdog() override;
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  /// Seconds, the same on all ranks; 0: nobody is watched.
  void set_limit(double seconds);
  /// The sentence is to say this of how to go on.
  void advise(const std::string& remedy);
  /// To be called now and then by who waits for other ranks.
  void look();
  /// Takes the pulses that are still on their way, once all ranks are here.
  void end();

 private:
  using Clock = std::chrono::steady_clock;
  using Seconds = std::chrono::duration<double>;
  static constexpr double limit_at_start = 300;

  /// A message.
  struct Pulse {
    i64 beats = 0;
    i64 waits = 0;  // 1: for other ranks
    StageText stage{};
    std::array<char, 64> host{};
  };
  /// The state of a rank, as far as it is known here.
  struct Known {
    Pulse last;
    Clock::time_point alive;                           // it beat or waited
    std::chrono::system_clock::time_point alive_at{};  // the same, for people
  };

  void on_pulse() noexcept override { send(false); }
  void send(bool waits) noexcept;
  void take_pulses();
  void judge();
  void watch_myself();
  [[nodiscard]] double limit() const { return limit_.load(std::memory_order_relaxed); }
  [[nodiscard]] Seconds interval() const { return Seconds(limit() / 10); }
  [[nodiscard]] Seconds absence() const { return Seconds(limit() / 4); }
  [[nodiscard]] std::string sentence(const Pulse& last, double seconds,
                                     std::chrono::system_clock::time_point since);

  const int rank_, size_;
  const EndAll end_all_;
  struct Messages;  // MPI's, of its own
  std::unique_ptr<Messages> messages_;
  std::atomic<double> limit_{limit_at_start};
  std::atomic<i64> looks_{0};
  std::string remedy_ = "mend that, and start again";

  // Pulses of this rank:
  Pulse host_;  // of which only the host is said; never changes
  Pulse sent_;
  Clock::time_point next_send_;
  std::array<int, 2> pulses_sent_{};  // to rank 0, to the last

  // Pulses of those that it watches, from `first_` on:
  int first_ = 0;
  std::vector<Known> known_;
  int pulses_taken_ = 0;
  Clock::time_point looked_, looks_since_, next_take_, beaten_;
  i64 my_beats_ = 0;

  std::mutex mutex_;
  std::condition_variable ended_;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace ptyle

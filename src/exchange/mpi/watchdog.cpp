#include "exchange/mpi/watchdog.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <mpi.h>

#include <algorithm>
#include <csignal>
#include <system_error>

#include "core/host.hpp"
#include "exchange/mpi/check.hpp"

namespace ptyle {

struct Watchdog::Messages {
  MPI_Comm comm = MPI_COMM_NULL;
  MPI_Request sending = MPI_REQUEST_NULL;
};

Watchdog::Watchdog(int rank, int size, EndAll end_all)
    : rank_(rank),
      size_(size),
      end_all_(std::move(end_all)),
      messages_(std::make_unique<Messages>()) {
  if (size_ == 1) return;
  check_mpi(MPI_Comm_dup(MPI_COMM_WORLD, &messages_->comm), "MPI_Comm_dup");
  const auto now = Clock::now();
  next_send_ = next_take_ = looked_ = looks_since_ = beaten_ = now;
  copy_text(host_name(), host_.host);
  sent_ = host_;
  if (rank_ == 0) {
    first_ = 1;
    known_.resize(static_cast<std::size_t>(size_) - 1);
  } else if (rank_ == size_ - 1) {
    known_.resize(1);
  }
  for (Known& one : known_) {
    one.alive = now;
    one.alive_at = std::chrono::system_clock::now();
  }
  set_pulse_listener(this);
  // Signals are the main thread's.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    thread_ = std::thread([this] { watch_myself(); });
  } catch (const std::system_error&) {
    // The others watch this rank all the same.
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

Watchdog::~Watchdog() {
  set_pulse_listener(nullptr);
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  ended_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Watchdog::set_limit(double seconds) {
  limit_ = seconds;
  // A rank that was late by another limit is not by this one.
  next_send_ = next_take_ = looked_ = looks_since_ = beaten_ = Clock::now();
}

void Watchdog::advise(const std::string& remedy) {
  const std::lock_guard lock(mutex_);
  remedy_ = remedy;
}

// 1. Pulses -------------------------------------------------------------------------------------

/// One is on its way at a time: where it is not taken, as by a rank that stands still, none are
/// piled up. What MPI refuses here, the run's own messages will be refused too.
void Watchdog::send(bool waits) noexcept {
  if (size_ == 1 || limit() == 0) return;
  const auto now = Clock::now();
  if (now < next_send_) return;
  next_send_ = now + std::chrono::duration_cast<Clock::duration>(interval());
  int done = 1;
  if (MPI_Test(&messages_->sending, &done, MPI_STATUS_IGNORE) != MPI_SUCCESS || done == 0) return;
  sent_.beats = beats();
  sent_.waits = waits ? 1 : 0;
  copy_stage(sent_.stage);
  const int to = rank_ == 0 ? size_ - 1 : 0;
  if (MPI_Isend(&sent_, sizeof sent_, MPI_BYTE, to, 0, messages_->comm, &messages_->sending) ==
      MPI_SUCCESS)
    ++pulses_sent_[to == 0 ? 0 : 1];
}

void Watchdog::take_pulses() {
  for (int there = 1;;) {
    MPI_Status status;
    check_mpi(MPI_Iprobe(MPI_ANY_SOURCE, 0, messages_->comm, &there, &status), "MPI_Iprobe");
    if (there == 0) return;
    Pulse pulse;
    check_mpi(MPI_Recv(&pulse, sizeof pulse, MPI_BYTE, status.MPI_SOURCE, 0, messages_->comm,
                       MPI_STATUS_IGNORE),
              "MPI_Recv");
    ++pulses_taken_;
    Known& known = known_.at(static_cast<std::size_t>(status.MPI_SOURCE - first_));
    const bool beat = pulse.beats != known.last.beats;
    const auto now = Clock::now();
    if (beat) beaten_ = now;
    if (beat || pulse.waits != 0) {
      known.alive = now;
      known.alive_at = std::chrono::system_clock::now();
    }
    known.last = pulse;
  }
}

// 2. Who looks ----------------------------------------------------------------------------------

void Watchdog::look() {
  if (size_ == 1 || limit() == 0) return;
  looks_.fetch_add(1, std::memory_order_relaxed);
  send(true);
  if (known_.empty()) return;
  const auto now = Clock::now();
  if (now - looked_ > absence()) looks_since_ = now;
  looked_ = now;
  if (now < next_take_) return;
  next_take_ = now + std::chrono::duration_cast<Clock::duration>(interval() / 5);
  take_pulses();
  judge();
}

void Watchdog::judge() {
  const auto now = Clock::now();
  const auto seconds_since = [&](Clock::time_point then) {
    return Seconds(now - std::max(then, looks_since_)).count();
  };
  if (beats() != my_beats_) beaten_ = now;
  my_beats_ = beats();
  bool all_wait = rank_ == 0;
  for (std::size_t i = 0; i < known_.size(); ++i) {
    const Known& one = known_[i];
    all_wait = all_wait && one.last.waits != 0;
    const double seconds = seconds_since(one.alive);
    if (seconds > limit())
      end_all_(first_ + static_cast<int>(i), sentence(one.last, seconds, one.alive_at));
  }
  const double seconds = seconds_since(beaten_);
  if (all_wait && seconds > limit())
    end_all_(rank_, fmt::format("all ranks have waited for each other for {:.0f} s, while {}: a "
                                "message was lost, or this is a fault of ptyle; {}",
                                seconds, current_stage(), remedy_));
}

std::string Watchdog::sentence(const Pulse& last, double seconds,
                               std::chrono::system_clock::time_point since) {
  const std::lock_guard lock(mutex_);
  const std::string host = last.host.data(), stage = last.stage.data();
  return fmt::format(
      "no sign of life{} for {:.0f} s, since {:%H:%M:%S}, when it was {}: the process is stopped, "
      "or its machine or a file system does not answer (ranks.watchdog={:g} s); {}",
      host.empty() ? "" : " on host " + host, seconds,
      fmt::localtime(std::chrono::system_clock::to_time_t(since)),
      stage.empty() ? "starting" : stage, limit(), remedy_);
}

// 3. This process's own thread ------------------------------------------------------------------

/// MPI_Abort, which ends all, is then called on this thread: the only call that is not the main
/// thread's, as that one does not return from where it is.
void Watchdog::watch_myself() {
  const Seconds later{rank_ == 0 ? 2.0 : 6.0 + 4.0 * rank_ / size_};
  auto woken = Clock::now(), alive = woken;
  auto alive_at = std::chrono::system_clock::now();
  i64 beats_then = 0, looks_then = 0;
  std::unique_lock lock(mutex_);
  for (;;) {
    const Seconds nap = limit() > 0 ? std::min(interval(), Seconds(1)) : Seconds(1);
    if (ended_.wait_for(lock, nap, [this] { return ending_; })) return;
    const auto now = Clock::now();
    const bool was_away = now - woken > nap + absence();
    woken = now;
    const i64 beats_now = beats(), looks_now = looks_.load(std::memory_order_relaxed);
    if (limit() == 0 || was_away || beats_now != beats_then || looks_now != looks_then) {
      alive = now;
      alive_at = std::chrono::system_clock::now();
    }
    beats_then = beats_now;
    looks_then = looks_now;
    if (Seconds(now - alive) < Seconds(limit()) + interval() + later) continue;
    Pulse mine = host_;
    copy_stage(mine.stage);
    lock.unlock();
    return end_all_(rank_, sentence(mine, Seconds(now - alive).count(), alive_at));
  }
}

void Watchdog::end() {
  if (size_ == 1) return;
  set_pulse_listener(nullptr);
  limit_ = 0;
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, pulses_sent_.data(), 2, MPI_INT, MPI_SUM, messages_->comm),
            "MPI_Allreduce");
  const int coming = rank_ == 0 ? pulses_sent_[0] : rank_ == size_ - 1 ? pulses_sent_[1] : 0;
  while (pulses_taken_ < coming) take_pulses();
  check_mpi(MPI_Wait(&messages_->sending, MPI_STATUS_IGNORE), "MPI_Wait");
  check_mpi(MPI_Comm_free(&messages_->comm), "MPI_Comm_free");
}

}  // namespace ptyle

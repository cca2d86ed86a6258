#pragma once

// The memory that a thread works in: one position's waves.

#include <algorithm>
#include <deque>
#include <mutex>
#include <vector>

#include "operator/cpu/memory.hpp"
#include "operator/cpu/steps.hpp"

namespace ptyle::cpu {

template <class T>
ThreadBuffers<T> make_buffers(const MemoryPlan<T>& plan, Ledger* ledger) {
  // Bytes of waves that a thread keeps in its share of the caches, about. Between 10 and 40 MB it
  // made no difference on a processor with 32 MB of L3.
  constexpr i64 past_caches = i64{16} << 20;
  return {Array<T, 1>({plan.scratch}, ledger, "waves"), Array<T, 1>({plan.ramp}, ledger, "waves"),
          Array<T, 1>({plan.pattern}, ledger, "waves"), Array<T, 1>({plan.mixed}, ledger, "waves"),
          plan.kept * plan.wave * static_cast<i64>(sizeof(T)) > past_caches};
}

/// Arrays that are made when they are first needed.
template <class T>
class ThreadWaves {
 public:
  ThreadBuffers<T> buffers;
  Array<T, 1> wave, other;        ///< ψ; χ or dψ where ψ and the waves kept are needed still
  Array<T, 1> aside;              ///< ψ where both others are used up
  Array<T, 2> kept, checkpoints;  ///< u of a run of slices; ψ before a run's first slice
  Array<T, 2> phase, absorption, illumination;  ///< patches of W·W
  Array<T, 2> propagator;  ///< of ∂f/∂P*: the position's sum, and space for two spectra

  /// Makes what every call needs; nothing the second time. All others come after it.
  void begin(const MemoryPlan<T>& plan, Ledger* ledger) {
    if (!wave.empty()) return;
    plan_ = &plan;
    ledger_ = ledger;
    buffers = make_buffers(plan, ledger);
    wave = Array<T, 1>({plan.wave}, ledger, "waves");
  }
  void need_other() { need<1>(other, {plan_->wave}, "waves"); }
  void need_aside() { need<1>(aside, {plan_->wave}, "waves"); }
  void need_kept() {
    need<2>(kept, {plan_->kept, plan_->wave}, "waves");
    need<2>(checkpoints, {plan_->checkpoints, plan_->wave}, "waves");
  }
  /// ψ is in `wave` after the last slice; χ is to be made of it, in place or, where ψ is needed
  /// still or space for it is, beside it.
  T* chi_beside() {
    if (!plan_->beside) return wave.data();
    need_other();
    std::copy_n(wave.data(), plan_->wave, other.data());
    return other.data();
  }
  /// Memory for dψ beside ψ: that of waves that are kept, where none are now.
  T* change_beside(bool keep) {
    if (keep || plan_->kept == 0) {
      need_other();
      return other.data();
    }
    need_kept();
    return kept.data();
  }
  /// A patch of zeros.
  View<T, 2> zero(Array<T, 2>& patch, i64 window) {
    need<2>(patch, {window, window}, "gradient patches");
    patch.fill(0);
    return patch.view();
  }
  /// Zeros for the position's part of ∂f/∂P*.
  T* zero_propagator() {
    need<2>(propagator, {3, plan_->in_propagator}, "gradient patches");
    std::fill_n(propagator.data(), plan_->in_propagator, T(0));
    return propagator.data();
  }

 private:
  template <int N>
  void need(Array<T, N>& array, const std::array<i64, N>& shape, const char* name) {
    if (array.shape() != shape) array = Array<T, N>(shape, ledger_, name);
  }

  const MemoryPlan<T>* plan_ = nullptr;  // outlives it
  Ledger* ledger_ = nullptr;
};

/// A workspace for each of an operator's threads; threads of others borrow one that is free.
template <class T>
class Workspaces {
 public:
  explicit Workspaces(int threads) : all_(static_cast<std::size_t>(threads)) {
    for (auto one = all_.rbegin(); one != all_.rend(); ++one) free_.push_back(&*one);
  }
  /// That of one of the operator's threads, while nobody borrows.
  ThreadWaves<T>& of(int thread) { return all_[static_cast<std::size_t>(thread)]; }

  /// A workspace that is nobody else's meanwhile; a new one where all are in use.
  class Lease {
   public:
    explicit Lease(Workspaces& from) : from_(from) {
      const std::lock_guard lock(from_.mutex_);
      if (from_.free_.empty()) from_.free_.push_back(&from_.all_.emplace_back());
      here_ = from_.free_.back();
      from_.free_.pop_back();
    }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    ~Lease() {
      const std::lock_guard lock(from_.mutex_);
      from_.free_.push_back(here_);
    }
    [[nodiscard]] ThreadWaves<T>& here() const { return *here_; }

   private:
    Workspaces& from_;
    ThreadWaves<T>* here_ = nullptr;
  };

 private:
  std::deque<ThreadWaves<T>> all_;     // which stay where they are
  std::vector<ThreadWaves<T>*> free_;  // the first thread's last, as it is taken first
  std::mutex mutex_;
};

}  // namespace ptyle::cpu

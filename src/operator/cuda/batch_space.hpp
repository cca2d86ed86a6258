#pragma once

// The space of batches on a device: so many positions at a time as its memory holds, their buffers,
// and the sending of where they lie and what was measured there (sender.hpp).

#include <algorithm>
#include <span>
#include <vector>

#include "operator/cuda/passes.hpp"
#include "operator/cuda/plan.hpp"
#include "operator/cuda/sender.hpp"

namespace ptyle::gpu {

template <class T, class Gpu>
class BatchSpace {
 public:
  BatchSpace(Gpu& gpu, Ledger* ledger, const OperatorSetup& setup, GpuPath path,
             const GpuOptions& options)
      : gpu_(gpu),
        ledger_(ledger),
        path_(path),
        memory_(options.memory),
        window_(static_cast<int>(setup.window)),
        modes_(setup.modes),
        basis_(setup.basis),
        plan_(setup, path, options),
        sender_(gpu, ledger, setup.window, plan_.coefficients) {}

  [[nodiscard]] const BatchPlan& plan() const { return plan_; }
  /// Space for N sums of each chunk of a batch's detectors.
  template <int N>
  Sums<N>* sums() {
    return reinterpret_cast<Sums<N>*>(sums_.data());
  }
  /// Space for two sums of each overlap of a position.
  Sums<2>* own() { return reinterpret_cast<Sums<2>*>(own_.data()); }
  /// Space for ∂f/∂d of each position.
  Sums<2>* descan() { return reinterpret_cast<Sums<2>*>(descan_.data()); }

  /// Kernels launched from now on see the batch that was sent last.
  void start() { sender_.start(); }
  /// A pattern that is not sent again.
  void forget(i64 number) { sender_.forget(number); }

  /// Makes the buffers, once they are needed or have become too small; returns the positions of a
  /// batch.
  i64 space_for(i64 positions) {
    positions = std::max<i64>(1, positions);
    if (positions <= planned_for_) return batch_;
    gpu_.wait();
    for (auto* buffer : {&waves_, &detector_, &kept_, &tangent_, &mixed_, &patches_of_waves_})
      *buffer = {};
    sender_.release_room();
    planned_for_ = planned(positions);
    const std::size_t held = memory_ > 0 ? sender_.held() : 0;  // what is free is free
    const std::size_t budget = memory_ > 0 ? memory_ : usable(gpu_.free_bytes());
    batch_ = plan_.template positions<T>(planned_for_, for_batches(budget), gpu_.l2_bytes(), path_,
                                         modes_);
    const auto make = [&](i64 values) {
      return Array<Z<T>, 1>({batch_ * values}, ledger_, "waves", &gpu_);
    };
    waves_ = make(plan_.waves);
    detector_ = make(plan_.detector);
    kept_ = make(plan_.kept);
    tangent_ = make(plan_.tangent);
    mixed_ = make(plan_.mixed);
    patches_of_waves_ = make(plan_.patch_values);
    flags_ = Array<int, 1>({BatchPlan::flags(batch_)}, ledger_, "waves", &gpu_);
    const i64 chunks = blocks_for(i64{window_} * window_, Detect<T>::pixels);
    sums_ = Array<double, 1>({3 * chunks * batch_}, ledger_, "waves", &gpu_);
    own_ = Array<double, 1>({2 * plan_.overlaps * batch_}, ledger_, "waves", &gpu_);
    descan_ = Array<double, 1>({2 * plan_.descan * batch_}, ledger_, "waves", &gpu_);
    const std::size_t used = static_cast<std::size_t>(batch_) * plan_.template bytes<T>() + held;
    sender_.make_space(batch_, budget > used ? budget - used : 0);
    return batch_;
  }

  /// A batch of its own, without patterns; its work may be launched.
  Batch<T> begin(std::span<const Placement> places, const ObjectOnGpu<T>& object) {
    space_for(static_cast<i64>(places.size()));
    const Batch<T> b = send(places, object, nullptr, 0);
    sender_.start();
    return b;
  }

  /// A batch of so many as there is space for, on its way to the device.
  Batch<T> send(std::span<const Placement> places, const ObjectOnGpu<T>& object,
                const Measured<T>* measured, i64 first) {
    std::vector<Place<T>> all;
    std::vector<T> coefficients;
    Batch<T> b;
    const int ny = object.ny, nx = object.nx, w = window_;
    b.top = ny, b.left = nx;
    int bottom = 0, right = 0;
    for (const Placement& at : places) {
      all.push_back({static_cast<int>(at.row), static_cast<int>(at.col),
                     static_cast<T>(at.shift_row), static_cast<T>(at.shift_col),
                     static_cast<T>(at.descan_row), static_cast<T>(at.descan_col)});
      for (i64 i = 0; i < plan_.coefficients; ++i) {
        coefficients.push_back(static_cast<T>(at.coefficients[i].real()));
        coefficients.push_back(static_cast<T>(at.coefficients[i].imag()));
      }
      b.top = std::min(b.top, std::clamp(all.back().row, 0, ny));
      b.left = std::min(b.left, std::clamp(all.back().col, 0, nx));
      bottom = std::max(bottom, std::clamp(all.back().row + w, 0, ny));
      right = std::max(right, std::clamp(all.back().col + w, 0, nx));
    }
    b.rows = std::max(0, bottom - b.top);
    b.cols = std::max(0, right - b.left);
    const Sent<T> sent = sender_.send(all, coefficients, measured, first);
    b.places = sent.places;
    b.patterns = sent.patterns;
    b.waves = waves_.data();
    b.detector = detector_.data();
    b.kept = kept_.data();
    b.tangent = tangent_.data();
    b.mixed = basis_ > 0 ? mixed_.data() : nullptr;
    b.mixing = {sent.coefficients, static_cast<int>(modes_), static_cast<int>(basis_)};
    b.patches = reinterpret_cast<T*>(patches_of_waves_.data());
    b.flags = flags_.data();
    b.positions = static_cast<int>(all.size());
    return b;
  }

 private:
  Gpu& gpu_;
  Ledger* ledger_;
  GpuPath path_;
  std::size_t memory_;  // bytes for batches and patterns; 0: what is free
  int window_;
  i64 modes_, basis_;
  BatchPlan plan_;
  Array<Z<T>, 1> waves_, detector_, kept_, tangent_, mixed_, patches_of_waves_;
  Array<int, 1> flags_;
  Array<double, 1> sums_, own_, descan_;
  Sender<T, Gpu> sender_;
  i64 planned_for_ = 0, batch_ = 0;
};

}  // namespace ptyle::gpu

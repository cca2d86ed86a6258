#pragma once

// The arrays of a caller on the device, for as long as a call takes: used where they lie, or copied
// there and back.

#include <algorithm>
#include <functional>
#include <vector>

#include "core/ledger.hpp"
#include "operator/cuda/passes.hpp"
#include "operator/operator.hpp"

namespace ptyle::gpu {

/// Values of the host copied to the device for a while, or those that lie there.
template <class T, class Gpu>
class OnDevice {
 public:
  OnDevice(Gpu& gpu, Ledger* ledger, View<const T, 3> values) : data_(values.data) {
    if (values.empty()) {
      data_ = nullptr;
    } else if (!gpu.holds(values.data)) {
      copy_ = Array<T, 3>(values.shape, ledger, "object", &gpu);
      gpu.copy(copy_.data(), values.data, static_cast<std::size_t>(values.size()) * sizeof(T));
      data_ = copy_.data();
    }
  }
  [[nodiscard]] const T* data() const { return data_; }
  [[nodiscard]] bool copied() const { return !copy_.empty(); }

 private:
  Array<T, 3> copy_;
  const T* data_;
};

/// The arrays that gradients are summed in: those that were given, or on the device beside them.
template <class T, class Gpu>
class Target {
 public:
  Target(Gpu& gpu, Ledger* ledger, bool absorption, Wanted wanted, const Gradient<T>& sum)
      : gpu_(gpu), ledger_(ledger), sum_(sum), probe(wanted.has(Part::probe)) {
    if (wanted.has(Part::object)) {
      to.phase = place(sum.phase, phase_);
      if (absorption) to.absorption = place(sum.absorption, absorption_);
    }
    if (wanted.has(Part::illumination)) to.illumination = place(sum.illumination, illumination_);
  }
  /// Sums beside an array of the host are added to it.
  void finish() const {
    add(phase_, sum_.phase);
    add(absorption_, sum_.absorption);
    add(illumination_, sum_.illumination);
  }
  [[nodiscard]] const Gradient<T>& sum() const { return sum_; }

 private:
  template <int N>
  T* place(View<T, N> sum, Array<T, N>& beside) {
    if (sum.empty()) return nullptr;
    if (gpu_.holds(sum.data)) return sum.data;
    beside = Array<T, N>(sum.shape, ledger_, "gradient", &gpu_);
    return beside.data();
  }
  template <int N>
  void add(const Array<T, N>& beside, View<T, N> sum) const {
    if (beside.empty()) return;
    std::vector<T> values(static_cast<std::size_t>(beside.size()));
    gpu_.copy(values.data(), beside.data(), values.size() * sizeof(T));
    std::transform(values.begin(), values.end(), sum.begin(), sum.begin(), std::plus<>());
  }

  Gpu& gpu_;
  Ledger* ledger_;
  const Gradient<T>& sum_;
  Array<T, 3> phase_, absorption_;
  Array<T, 2> illumination_;

 public:
  GatherTo<T> to;
  const bool probe;
  bool probe_begun = false;  ///< has the sum of spectra anything yet?
};

}  // namespace ptyle::gpu

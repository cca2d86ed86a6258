#pragma once

// Fits of a scene on an emulated GPU.

#include "device/emulated/arithmetic.hpp"
#include "operator/emulated/operator.hpp"
#include "solver/scene.hpp"

namespace ptyle::test {

/// While it is there, fits of the scene live on an emulated GPU, which they must not outlive.
class OnGpu {
 public:
  /// `operator_too`: the operator is the GPU's as well; else the host's, which computes on emulated
  /// memory as on any.
  explicit OnGpu(bool operator_too = false, const emulated::Gpu::Properties& properties = {},
                 const FitScene& of = scene())
      : gpu(properties), of_(of) {
    of_.make_arithmetic = [this] { return make_emulated_arithmetic<double>(gpu, &ledger); };
    if (operator_too)
      of_.make_operator = [this](const OperatorSetup& setup) {
        return make_emulated_operator<double>(setup, gpu, &ledger, {});
      };
  }
  OnGpu(const OnGpu&) = delete;
  ~OnGpu() {
    of_.make_arithmetic = {};
    of_.make_operator = {};
  }
  emulated::Gpu gpu;
  Ledger ledger;

 private:
  const FitScene& of_;
};

}  // namespace ptyle::test

#pragma once

// The probe's modes, the same on all ranks. Every step of the way to the detector is unitary but
// for absorption, so Fᴴ F = W² for each pattern, and the Gauss-Newton step is the mean gradient
// over W². After an iteration the powers of several modes are fitted together (solver/modes).
//
// All states of an object see the same modes.
//
// Where the probe varies over the scan (solver/variables/variable_probe), its variable modes lie
// behind these, (K, W, W), and their gradients are summed with these; they are not moved here.

#include <optional>

#include "solver/variables/variable.hpp"

namespace ptyle {

template <class T>
class ProbeVariable final : public Variable<T> {
 public:
  explicit ProbeVariable(const OperatorSetup& setup) : setup_(without_propagator(setup)) {}
  void declare(State<T>& state) override;
  /// `start`: (M, W, W), centred on [W/2, W/2]; or all (K, W, W).
  void begin_with(Workspace<T>& with, Array<Complex<T>, 3> start, Ledger* ledger);

  void publish(Workspace<T>& with) override;
  void begin(Workspace<T>& with, const Batch& batch) override;
  void ask(const Batch& batch, const Members& members, Wanted& wanted, Gradient<T>& sums) override;
  void start_sum(Workspace<T>& with, const Batch& batch) override;
  void step(Workspace<T>& with, const Batch& batch) override;
  void end_iteration(Workspace<T>& with, const Batch& batch) override;
  [[nodiscard]] OtherBytes other_bytes(const OperatorSetup& setup, i64 positions,
                                       bool device) const override;

  /// (M, W, W), on the host; valid until the next iteration.
  [[nodiscard]] View<const Complex<T>, 3> on_host(const Workspace<T>& with) const;

 private:
  /// The incoherent modes alone, as real numbers.
  [[nodiscard]] View<T, 3> incoherent(Array<Complex<T>, 3>& waves) const {
    return parts_of(View<Complex<T>, 3>{waves.data(), shape()});
  }
  [[nodiscard]] std::array<i64, 3> shape() const {
    return {setup_.modes_of_a_state(), setup_.window, setup_.window};
  }
  OperatorSetup setup_;
  Field<T>*values_ = nullptr, *gradient_ = nullptr;
  double* largest_ = nullptr;        // max Σ_m |ψ|² of the start
  Array<Complex<T>, 3> travelling_;  // the gradient on the host, where other processes add to it
  std::optional<Running> sum_;
  mutable OnHost<Complex<T>, 3> here_;
};

}  // namespace ptyle

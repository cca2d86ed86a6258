#pragma once

// The stiffness of the cost along few numbers that waves depend on, by finite differences.

#include <complex>
#include <vector>

#include "core/array.hpp"
#include "operator/detector_counts.hpp"
#include "solver/workspace.hpp"

namespace ptyle {

/// sums += Σ_k 2 f" a_i a_j at a position, row by row, with f" at a perfect fit and
/// a_j = Re Σ_m conj(Ψ_m) ∂Ψ_m/∂p_j. `forward(j, waves)` gives Ψ with p_j changed by `difference`,
/// and with nothing changed for j = count. `weight`: Workspace::detector_weight.
template <class T, class Forward>
void add_bends(const Workspace<T>& with, View<const T, 2> weight, std::size_t count,
               double difference, Forward&& forward, std::vector<double>& sums) {
  const OperatorSetup& setup = with.op->setup();
  const std::array<i64, 3> shape{setup.modes, setup.window, setup.window};
  const auto pixels = static_cast<std::size_t>(setup.window * setup.window);
  Array<Complex<T>, 3> at_rest(shape, with.ledger, "probe"), changed(shape, with.ledger, "probe");
  forward(count, at_rest.view());
  const auto bend =
      curvature_weights<T>(setup, std::as_const(at_rest).view(), weight, with.data.valid);
  std::vector<std::vector<double>> along(count, std::vector<double>(pixels, 0.0));
  for (std::size_t j = 0; j < count; ++j) {
    forward(j, changed.view());
    for (i64 i = 0; i < at_rest.size(); ++i) {
      const Complex<double> psi(at_rest.data()[i]);
      along[j][static_cast<std::size_t>(i) % pixels] +=
          (std::conj(psi) * (Complex<double>(changed.data()[i]) - psi)).real() / difference;
    }
  }
  for (std::size_t i = 0; i < count; ++i)
    for (std::size_t j = 0; j < count; ++j)
      for (std::size_t k = 0; k < pixels; ++k)
        sums[i * count + j] += 2 * bend[k] * along[i][k] * along[j][k];
}

}  // namespace ptyle

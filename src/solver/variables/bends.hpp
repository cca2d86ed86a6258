#pragma once

// The stiffness of the cost along few numbers that waves depend on, by finite differences.

#include <complex>
#include <vector>

#include "core/array.hpp"
#include "operator/detector_counts.hpp"
#include "solver/variables/sample.hpp"

namespace ptyle {

/// It is taken again after so many iterations, of so many positions.
inline constexpr int bends_every = 2;
inline constexpr i64 bends_sample = 16;

/// sums += Σ_k 2 f" a_i a_j at a position, row by row, with f" at a perfect fit and
/// a_j = Re Σ_m conj(Ψ_m) ∂Ψ_m/∂p_j. `forward(j, waves)` gives Ψ with p_j changed by `difference`,
/// and with nothing changed for j = count. `weight`: Workspace::detector_weight.
template <class T, class Forward>
void add_bends(const Workspace<T>& with, View<const T, 2> weight, std::size_t count,
               double difference, Forward&& forward, std::vector<double>& sums) {
  const OperatorSetup& setup = with.op->setup();
  const std::array<i64, 3> shape{setup.modes, setup.window, setup.window};
  const i64 pixels = setup.window * setup.window, numbers = static_cast<i64>(count);
  Array<Complex<T>, 3> at_rest(shape, with.ledger, "probe"), changed(shape, with.ledger, "probe");
  forward(count, at_rest.view());
  const auto bend =
      curvature_weights<T>(setup, std::as_const(at_rest).view(), weight, with.data.valid);
  Array<double, 2> along({numbers, pixels}, with.ledger, "probe");
  for (i64 j = 0; j < numbers; ++j) {
    forward(static_cast<std::size_t>(j), changed.view());
    for (i64 i = 0; i < at_rest.size(); ++i) {
      const Complex<double> psi(at_rest.data()[i]);
      along(j, i % pixels) +=
          (std::conj(psi) * (Complex<double>(changed.data()[i]) - psi)).real() / difference;
    }
  }
  for (i64 i = 0; i < numbers; ++i)
    for (i64 j = 0; j < numbers; ++j)
      for (i64 k = 0; k < pixels; ++k)
        sums[static_cast<std::size_t>(i * numbers + j)] +=
            2 * bend[static_cast<std::size_t>(k)] * along(i, k) * along(j, k);
}

/// Bytes that mean_bends books for so many numbers.
template <class T>
double mean_bends_bytes(const OperatorSetup& setup, std::size_t count) {
  return wave_bytes<T>(setup, 2 * setup.modes) +
         static_cast<double>(count) * pattern_bytes<double>(setup);
}

/// The mean of add_bends over a few positions of a mini-batch, on all ranks, the object at rest.
/// `forward(at, j, waves)` as above, at a placement.
template <class T, class Forward>
std::vector<double> mean_bends(Workspace<T>& with, const Batch& batch, std::size_t count,
                               double difference, Forward&& forward) {
  const std::vector<i64> sample = sample_of(batch.members, bends_sample);
  std::vector<double> sums(count * count, 0.0);
  const Array<T, 2> weight = with.detector_weight();
  visit_sample(with, sample, [&](const auto& members, const std::vector<Placement>& places) {
    for (const Placement& at : places)
      add_bends<T>(
          with, weight.view(), count, difference,
          [&](std::size_t j, View<Complex<T>, 3> waves) { forward(at, j, waves); }, sums);
    with.costs.count(double(members.size() * (count + 1)));
  });
  with.team.sum(sums);
  for (double& sum : sums) sum /= double(sample.size());
  return sums;
}

}  // namespace ptyle

#pragma once

// Patterns of a sample of positions, as the model has them beside what was measured.

#include <functional>
#include <utility>
#include <vector>

#include "operator/detector_counts.hpp"
#include "solver/variables/sample.hpp"

namespace ptyle {

/// Bytes that for_each_pattern books.
template <class T>
double for_each_pattern_bytes(const OperatorSetup& setup) {
  return wave_bytes<T>(setup, setup.modes) + pattern_bytes<double>(setup) + pattern_bytes<T>(setup);
}

/// f(I, y) for those of the sample that are this process's own: counts of the model, with the
/// background, and measured, below 0 where a pixel is not; W·W of each, DC at [0,0].
template <class T>
void for_each_pattern(Workspace<T>& with, const std::vector<i64>& sample,
                      const std::function<void(const double*, const T*)>& f) {
  const OperatorSetup& setup = with.op->setup();
  const i64 w = setup.window;
  Array<Complex<T>, 3> waves({setup.modes, w, w}, with.ledger, "probe");
  Array<double, 2> model({w, w}, with.ledger, "probe");
  Array<T, 2> measured({w, w}, with.ledger, "probe");
  visit_sample(with, sample, [&](const auto& members, const std::vector<Placement>& places) {
    const Measured<T> patterns = with.measured_at(members);
    for (std::size_t k = 0; k < members.size(); ++k) {
      with.op->forward(places[k], waves);
      patterns.load(static_cast<i64>(k), measured.data());
      detector_counts(std::as_const(waves).view(), setup.background, model.data());
      f(model.data(), measured.data());
    }
    with.costs.count(double(members.size()));
  });
}

}  // namespace ptyle

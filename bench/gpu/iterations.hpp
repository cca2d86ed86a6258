#pragma once

// Whole iterations on a GPU: a simulated set in memory, its patterns as uint16, fitted from vacuum.

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "core/parallel.hpp"
#include "exchange/local/team.hpp"
#include "gpu/card.hpp"
#include "gradient.hpp"
#include "simulate/in_memory.hpp"
#include "solver/fit.hpp"

namespace ptyle::bench {

class GpuSet {
 public:
  explicit GpuSet(const Recipe& recipe) : GpuSet(simulate_in_memory(recipe)) {}

  [[nodiscard]] const OperatorSetup& setup() const { return setup_; }
  [[nodiscard]] i64 count() const { return static_cast<i64>(positions_.size()); }
  [[nodiscard]] std::array<i64, 3> object() const { return object_; }

  /// On the card, or with none on the CPU. `device`: books the card's memory. The probe is refined
  /// where `refine` says so; the rest by default, with all free from the start.
  Fit<float> fit(Card* card, const GpuOptions& options, i64 groups, bool refine, Team& team,
                 Ledger* device = nullptr) const {
    FitData<float> data;
    data.positions = positions_;
    const i64 n = setup_.window * setup_.window;
    data.load = [this, n](i64 i, float* to) { std::copy_n(patterns_.data() + i * n, n, to); };
    data.raw = [this, n](i64 i) {
      return RawPattern{patterns_.data() + i * n, PatternType::uint16, 0, i};
    };
    data.dk = dk_;
    FitOptions fit;
    fit.groups = groups;
    fit.threads = available_threads();
    fit.probe_from = refine ? 1 : 0;
    fit.pixel = pixel_;
    const Box whole{{0, object_[1]}, {0, object_[2]}};
    const Mesh mesh(whole, {}, {}, Halo::exact(setup_.window));
    std::vector<TileStart<float>> start;
    start.push_back({Array<float, 3>(object_), {}});
    return {card ? card->make(setup_, options, device)
                 : make_cpu_operator<float>(setup_, available_threads()),
            std::move(data),
            fit,
            team,
            Sharing{mesh, Scheme::owner},
            std::move(start),
            converted<Complex<float>, Complex<float>, 3>(probe_.view()),
            nullptr,
            card ? card->arithmetic(device) : nullptr};
  }

 private:
  explicit GpuSet(const MemorySet& set)
      : setup_(set.plan.operator_setup()),
        probe_(converted<Complex<float>, Complex<float>, 3>(set.plan.probe.view())),
        patterns_(set.patterns.shape()),
        object_({setup_.slices, set.plan.ny, set.plan.nx}),
        pixel_(set.plan.pixel),
        dk_(1 / (static_cast<double>(setup_.window) * set.plan.pixel)) {
    // As a reconstruction has it by default; the simulation's has a band limit.
    if (setup_.slices > 1)
      setup_.propagator =
          propagator(setup_.window, pixel_, set.plan.wavelength, set.plan.slice_thickness);
    for (const Position& at : set.plan.positions)
      positions_.push_back({at.row / pixel_, at.col / pixel_});
    double counts = 0;
    for (i64 i = 0; i < patterns_.shape()[0]; ++i) {
      const auto pattern = cornered<float>(set.patterns.view()[i]);
      for (i64 k = 0; k < pattern.size(); ++k) {
        patterns_.view()[i].data[k] =
            static_cast<std::uint16_t>(std::min(65535.0f, pattern.data()[k]));
        counts += static_cast<double>(pattern.data()[k]);
      }
    }
    setup_.epsilon = 1e-5 * counts / static_cast<double>(patterns_.size());  // as in a session
  }

  OperatorSetup setup_;
  Array<Complex<float>, 3> probe_;
  Array<std::uint16_t, 3> patterns_;
  std::vector<Position> positions_;  // px
  std::array<i64, 3> object_;
  double pixel_, dk_;
};

/// Seconds of iterations after one that is not counted, and the last one's R.
struct Iterations {
  Band seconds{};
  double r = 0;
};
inline Iterations iterate(Fit<float>& fit, Card* card, int count) {
  std::vector<double> times;
  Iterations result;
  for (int i = 0; i <= count; ++i) {
    const double start = wall_seconds();
    result.r = fit.iterate().fitted.r_factor();
    if (card) card->wait();
    if (i > 0) times.push_back(wall_seconds() - start);
  }
  result.seconds = band(times);
  return result;
}

}  // namespace ptyle::bench

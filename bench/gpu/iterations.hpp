#pragma once

// Whole iterations on a GPU: a set in memory, its patterns as uint16, fitted from vacuum.
//
// Positions and object are those of the whole scan; its patterns are those of a part of 16 x 16 of
// it, again and again (the i-th is simulated[i % 256]), so that no GPU waits for minutes until all
// are simulated. Times do not depend on them. A fit's R only shows that its numbers are some: it
// must be one, and says nothing of how well patterns fit.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
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
  explicit GpuSet(const Recipe& recipe)
      : GpuSet(make_plan(recipe), simulate_in_memory(part_of(recipe))) {}

  [[nodiscard]] const OperatorSetup& setup() const { return setup_; }
  [[nodiscard]] i64 count() const { return static_cast<i64>(positions_.size()); }
  [[nodiscard]] std::array<i64, 3> object() const { return object_; }

  /// On the card, or with none on the CPU. `device`: accounts for the card's memory. The probe is
  /// refined where `refine` says so; the rest by default, with all free from the start.
  Fit<float> fit(Card* card, const GpuOptions& options, i64 batches, bool refine, Team& team,
                 Ledger* device = nullptr) const {
    FitData<float> data;
    data.positions = positions_;
    const i64 n = setup_.window * setup_.window;
    data.load = [this, n](i64 i, float* to) { std::copy_n(pattern(i), n, to); };
    data.raw = [this](i64 i) { return RawPattern{pattern(i), PatternType::uint16, 0, i}; };
    data.dk = dk_;
    FitOptions fit;
    fit.batches = batches;
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
  GpuSet(const Plan& plan, const MemorySet& part)
      : setup_(plan.operator_setup()),
        probe_(converted<Complex<float>, Complex<float>, 3>(plan.probe.view())),
        patterns_(part.patterns.shape()),
        object_({setup_.slices, plan.ny, plan.nx}),
        pixel_(plan.pixel),
        dk_(1 / (static_cast<double>(setup_.window) * plan.pixel)) {
    // As a reconstruction has it by default; the simulation's has a band limit.
    if (setup_.slices > 1)
      setup_.propagator = propagator(setup_.window, pixel_, plan.wavelength, plan.slice_thickness);
    for (const Position& at : plan.positions)
      positions_.push_back({at.row / pixel_, at.col / pixel_});
    double counts = 0;
    for (i64 i = 0; i < patterns_.shape()[0]; ++i) {
      const auto pattern = cornered<float>(part.patterns.view()[i]);
      for (i64 k = 0; k < pattern.size(); ++k) {
        patterns_.view()[i].data[k] =
            static_cast<std::uint16_t>(std::min(65535.0f, pattern.data()[k]));
        counts += static_cast<double>(pattern.data()[k]);
      }
    }
    setup_.epsilon = 1e-5 * counts / static_cast<double>(patterns_.size());  // as in a session
  }

  static Recipe part_of(Recipe recipe) {
    for (int& side : recipe.scan.shape) side = std::min(side, 16);
    return recipe;
  }
  [[nodiscard]] const std::uint16_t* pattern(i64 i) const {
    return patterns_.view()[i % patterns_.shape()[0]].data;
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
  [[nodiscard]] bool right() const { return std::isfinite(r); }
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

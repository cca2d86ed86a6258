#pragma once

// A simulated set in memory, to be fitted by virtual ranks that are all in this process, and judged
// as a whole: what the benchmarks of the decomposition share.

#include <algorithm>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "analysis/comparison.hpp"
#include "core/parallel.hpp"
#include "exchange/local/team.hpp"
#include "lead_titanate.hpp"
#include "simulate/in_memory.hpp"
#include "solver/batches.hpp"
#include "solver/fit.hpp"

namespace ptyle::bench {

/// Noise-free: PbTiO3 along c, 200 kV, 30 mrad, 150 Å underfocus, window 64² at 0.2 Å, 14 × 14
/// positions 1.45 Å apart, so many slices of 1.25 Å.
inline Recipe convergence_recipe(int slices) {
  Recipe r = lead_titanate(slices);
  r.optics.defocus = 150;
  r.detector = {.window = 64, .pixel_size = 0.2};
  r.scan = {.shape = {14, 14}, .step = {1.45, 1.45}};
  return r;
}

/// Patterns that a fit has asked its operator for.
struct Work {
  i64 gradients = 0;  ///< of object and illumination
  i64 others = 0;     ///< half as dear or about as dear: curvatures and costs for the step
  i64 products =
      0;  ///< of the Gauss-Newton matrix, half as dear again: two waves forward, one back

  /// In gradients of a pattern.
  [[nodiscard]] double all() const {
    return static_cast<double>(gradients + others) + 1.5 * static_cast<double>(products);
  }
};

/// An operator that counts what it is asked for.
template <class T>
class Counting : public Operator<T> {
 public:
  Counting(std::unique_ptr<Operator<T>> op, Work& work) : op_(std::move(op)), work_(work) {}
  [[nodiscard]] const OperatorSetup& setup() const override { return op_->setup(); }
  void set_object(const ObjectView<T>& object) override { op_->set_object(object); }
  void set_probe(View<const Complex<T>, 3> probe) override { op_->set_probe(probe); }
  void set_weights(View<const T, 2> weight, View<const T, 2> valid) override {
    op_->set_weights(weight, valid);
  }
  void set_propagator(std::span<const std::complex<double>> propagator) override {
    op_->set_propagator(propagator);
  }
  void set_background(double background) override { op_->set_background(background); }
  void forward(const Placement& at, View<Complex<T>, 3> wave) const override {
    op_->forward(at, wave);
  }
  void tangent(const Placement& at, const ObjectView<T>& d_object,
               View<const Complex<T>, 3> d_probe, View<Complex<T>, 3> d_wave) const override {
    op_->tangent(at, d_object, d_probe, d_wave);
  }
  void adjoint(const Placement& at, View<const Complex<T>, 3> d,
               const Gradient<T>& sum) const override {
    op_->adjoint(at, d, sum);
  }
  Misfit gradient(std::span<const Placement> places, const Measured<T>& measured, Wanted wanted,
                  const Gradient<T>& sum) const override {
    work_.gradients += static_cast<i64>(places.size());
    return op_->gradient(places, measured, wanted, sum);
  }
  [[nodiscard]] Misfit misfit(std::span<const Placement> places,
                              const Measured<T>& measured) const override {
    work_.others += static_cast<i64>(places.size());
    return op_->misfit(places, measured);
  }
  [[nodiscard]] double curvature(std::span<const Placement> places, const ObjectView<T>& d_object,
                                 View<const Complex<T>, 3> d_probe,
                                 std::span<double> each) const override {
    work_.others += static_cast<i64>(places.size());
    return op_->curvature(places, d_object, d_probe, each);
  }
  void gauss_newton_product(std::span<const Placement> places, const ObjectView<T>& d_object,
                            View<const Complex<T>, 3> d_probe,
                            const Gradient<T>& sum) const override {
    work_.products += static_cast<i64>(places.size());
    op_->gauss_newton_product(places, d_object, d_probe, sum);
  }

 private:
  std::unique_ptr<Operator<T>> op_;
  Work& work_;
};

template <class T>
class TiledSet {
 public:
  /// `threads`: of each fit; several may be made at once.
  TiledSet(const Recipe& recipe, int threads)
      : set_(simulate_in_memory(recipe)),
        setup_(set_.plan.operator_setup()),
        probe_(converted<Complex<T>, Complex<float>, 3>(set_.plan.probe.view())),
        patterns_(set_.patterns.shape()),
        threads_(threads) {
    for (const Position& at : set_.plan.positions) {
      positions_.push_back({at.row / set_.plan.pixel, at.col / set_.plan.pixel});
      const Placement corner = place(positions_.back(), setup_.window);
      centres_.push_back({corner.row + setup_.window / 2, corner.col + setup_.window / 2});
    }
    double counts = 0;
    for (i64 i = 0; i < count(); ++i) {
      const auto pattern = cornered<float>(set_.patterns.view()[i]);
      for (i64 k = 0; k < pattern.size(); ++k) {
        patterns_.view()[i].data[k] = static_cast<T>(pattern.data()[k]);
        counts += static_cast<double>(pattern.data()[k]);
      }
    }
    setup_.epsilon = 1e-5 * counts / static_cast<double>(patterns_.size());  // as in a session
  }

  [[nodiscard]] const Plan& plan() const { return set_.plan; }
  [[nodiscard]] View<const float, 3> truth() const { return set_.phase.view(); }
  [[nodiscard]] i64 count() const { return static_cast<i64>(set_.plan.positions.size()); }
  /// An iteration's mini-batches where counts are plenty and the specimen is thin.
  [[nodiscard]] i64 usual_batches() const {
    return default_batches(count(), std::numeric_limits<double>::infinity(), Thickness::thin);
  }
  [[nodiscard]] std::span<const Position> positions() const { return positions_; }  // px
  [[nodiscard]] Mesh mesh(std::array<int, 2> shape, Halo halo) const {
    return balanced_mesh(centres_, setup_.window, shape, halo);
  }

  /// From vacuum and the true probe, which is kept. `work` counts, and must outlive the fit.
  Fit<T> fit(FitOptions options, Team& team, const Sharing& sharing, Work& work) const {
    FitData<T> data;
    data.positions = positions_;
    data.load = [this](i64 i, T* to) {
      const View<const T, 2> pattern = patterns_.view()[i];
      std::copy(pattern.begin(), pattern.end(), to);
    };
    data.dk = 1 / (static_cast<double>(setup_.window) * set_.plan.pixel);
    options.pixel = set_.plan.pixel;
    options.probe_from = 0;
    options.threads = threads_;
    std::vector<TileStart<T>> start;
    for (const int rank : team.here()) {
      const Box box = sharing.mesh.extended(rank);
      start.push_back({Array<T, 3>({setup_.slices, box.rows.size(), box.cols.size()}), {}});
    }
    auto op = std::make_unique<Counting<T>>(make_cpu_operator<T>(setup_, threads_), work);
    return {std::move(op),
            std::move(data),
            options,
            team,
            sharing,
            std::move(start),
            converted<Complex<T>, Complex<T>, 3>(probe_.view())};
  }

  /// The whole object, put together from the cores of all tiles.
  Array<T, 3> stitched(const Fit<T>& fit) const {
    Array<T, 3> whole({setup_.slices, set_.plan.ny, set_.plan.nx});
    for (std::size_t t = 0; t < fit.tiles().size(); ++t) {
      const Tile& tile = fit.tiles()[t];
      const View<const T, 3> phase = fit.state().field("phase").on(t);
      for (i64 z = 0; z < setup_.slices; ++z)
        for (i64 y = tile.core.rows.begin; y < tile.core.rows.end; ++y)
          std::copy_n(
              &phase(z, y - tile.box.rows.begin, tile.core.cols.begin - tile.box.cols.begin),
              tile.core.cols.size(), &whole(z, y, tile.core.cols.begin));
    }
    return whole;
  }

  /// Of an object, all positions at once.
  Misfit misfit(View<const T, 3> phase) const {
    const auto op = make_cpu_operator<T>(setup_, threads_);
    op->set_probe(probe_);
    op->set_object({phase, {}});
    std::vector<Placement> places;
    for (const Position& at : positions_) places.push_back(place(at, setup_.window));
    return op->misfit(places, [this](i64 i, T* to) {
      const View<const T, 2> pattern = patterns_.view()[i];
      std::copy(pattern.begin(), pattern.end(), to);
    });
  }
  Comparison compare(View<const T, 3> phase) const {
    const Array<float, 3> copy = converted<float, T, 3>(phase);
    const Plan& p = set_.plan;
    return compare_objects({copy.view(), p.positions, p.pixel, p.slice_thickness, {}},
                           {set_.phase.view(), p.positions, p.pixel, p.slice_thickness, {}},
                           threads_);
  }

 private:
  MemorySet set_;
  OperatorSetup setup_;
  Array<Complex<T>, 3> probe_;
  Array<T, 3> patterns_;
  std::vector<Position> positions_;  // px
  std::vector<Pixel> centres_;
  int threads_;
};

}  // namespace ptyle::bench

// Is a thick object found faster if each slice's gradient is divided by that slice's own
// illumination, as multislice LSQ-ML does, instead of by the mean of all slices?
//
// Lead titanate as in bench/convergence, and thicker. The best case: the illumination of each slice
// is that of the true object, Σ|u_s|² over the whole scan. Where t has no absorption and |P| = 1
// every step is unitary, so that of the wave iΨ at the detector the adjoint's χ_s is W² i u_s, and
// what it adds to ∂f/∂φ_s, Re(conj(χ_s) i u_s), is W² |u_s|².
//
//   1. how far the two preconditioners lie apart, rms over where the mean illumination is at least
//      a fifth of its largest
//   2. cost and error of the summed phase after so many passes through the data, with each, by
//      L-BFGS on the whole scan and momentum on mini-batches; both with the same floor, from vacuum
//      and without a multi-resolution schedule
//
//   bench-slices [SLICES …]    default 6 20
//   last line: the cost by slice over that by the mean, L-BFGS, 50 passes, the last number of
//   slices

#include <fmt/format.h>

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "solver/rules/lbfgs.hpp"
#include "solver/rules/momentum.hpp"
#include "tiled_set.hpp"

using namespace ptyle;
using Set = bench::TiledSet<float>;

namespace {

constexpr double damping = 0.1;  // ε, as of the preconditioner by illumination

/// M: a voxel's gradient by W² (its illumination + ε of the largest), one rank, no binned slices.
class ByLight final : public Preconditioning<float> {
 public:
  /// `light`: W² Σ|u_s|² of the whole scan, (z, y, x).
  explicit ByLight(const Array<float, 3>& light) : light_(light) {
    for (const float l : light) largest_ = std::max(largest_, l);
  }
  void prepare(const Trial<float>& trial) override {
    share_ = static_cast<float>(trial.batch.members.size()) /
             static_cast<float>(trial.with.fitted.size());
  }
  void apply(const Trial<float>& trial, const Volumes<float>& volumes) override {
    const View<float, 3> g = volumes.phase->on(0);
    const Box& box = trial.with.tiles[0].box;  // of the whole object
    for (i64 z = 0; z < g.shape[0]; ++z)
      for (i64 y = 0; y < g.shape[1]; ++y)
        for (i64 x = 0; x < g.shape[2]; ++x)
          g(z, y, x) /= share_ * (light_(z, box.rows.begin + y, box.cols.begin + x) +
                                  static_cast<float>(damping) * largest_);
  }

 private:
  const Array<float, 3>& light_;
  float largest_ = 0, share_ = 1;
};

/// A rule with that preconditioner.
struct LightOptions {
  const Array<float, 3>* light = nullptr;
  bool whole = false;
  template <class T>
  void add_to(Parts<T>& parts) const {
    if constexpr (std::is_same_v<T, float>) {
      auto by = std::make_unique<ByLight>(*light);
      if (whole)
        parts.rule = std::make_unique<Lbfgs<T>>(8, std::move(by));
      else
        parts.rule = std::make_unique<NesterovMomentum<T>>(RuleOptions(), std::move(by));
    }
  }
};
template <class V>
void keys(V&, LightOptions&) {}

/// W² Σ|u_s|² of the true object.
Array<float, 3> light_of(const Set& set) {
  const Plan& plan = set.plan();
  const auto op = make_cpu_operator<float>(plan.operator_setup(), 1);
  op->set_object({set.truth(), {}});
  op->set_probe(plan.probe.view());
  Array<float, 3> light(set.truth().shape);
  Array<Complex<float>, 3> wave({plan.probe.shape()});
  for (const Position& at : set.positions()) {
    const Placement place_there = place(at, op->setup().window);
    op->forward(place_there, wave);
    for (auto& v : wave) v *= Complex<float>(0, 1);
    op->adjoint(place_there, wave, {light.view(), {}, {}, {}});
  }
  return light;
}

/// The same value in all slices: their mean.
Array<float, 3> mean_of(const Array<float, 3>& light) {
  const auto [slices, ny, nx] = light.shape();
  Array<float, 3> mean(light.shape());
  for (i64 i = 0; i < ny * nx; ++i) {
    double sum = 0;
    for (i64 z = 0; z < slices; ++z) sum += static_cast<double>(light.data()[z * ny * nx + i]);
    for (i64 z = 0; z < slices; ++z)
      mean.data()[z * ny * nx + i] = static_cast<float>(sum / static_cast<double>(slices));
  }
  return mean;
}

double apart(const Array<float, 3>& light, const Array<float, 3>& mean) {
  double most = 0, floor = 0, sum = 0, voxels = 0;
  for (const float l : mean) most = std::max(most, static_cast<double>(l));
  for (const float l : light) floor = std::max(floor, damping * static_cast<double>(l));
  for (i64 i = 0; i < light.size(); ++i) {
    const double m = static_cast<double>(mean.data()[i]), l = static_cast<double>(light.data()[i]);
    if (m < 0.2 * most) continue;
    sum += std::pow((m + damping * most) / (l + floor) - 1, 2);
    voxels += 1;
  }
  return std::sqrt(sum / voxels);
}

constexpr int looked_at[] = {10, 20, 30, 50};

/// Prints the row; returns the cost at its end.
double run(const Set& set, const char* name, const Array<float, 3>& light, bool whole) {
  const i64 batches = whole ? 1 : set.usual_batches();
  FitOptions o;
  o.batches = batches;
  o.parts.add<LightOptions>({&light, whole});
  const auto team = make_local_team();
  bench::Work work;
  auto fit = set.fit(o, *team, {set.mesh({1, 1}, Halo::exact(set.plan().window))}, work);
  fmt::print("  {:<24}", name);
  double cost = 0;
  for (const int passes : looked_at) {
    while (work.all() < passes * static_cast<double>(set.count())) fit.iterate();
    const auto object = set.stitched(fit);
    cost = set.misfit(object.view()).cost;
    fmt::print("   {:.3e} / {:.4f}", cost, set.compare(object.view()).summed.rmse);
  }
  fmt::print("\n");
  return cost;
}

}  // namespace

int main(int argc, char** argv) try {
  std::vector<int> all;
  for (int i = 1; i < argc; ++i) all.push_back(std::stoi(argv[i]));
  if (all.empty()) all = {6, 20};
  double ratio = 0;
  for (const int slices : all) {
    const Set set(bench::convergence_recipe(slices), available_threads());
    const Array<float, 3> light = light_of(set), mean = mean_of(light);
    fmt::print("{} slices: the preconditioners are {:.1f} % apart\n  {:<24}", slices,
               100 * apart(light, mean), "cost / error (rad) after");
    for (const int passes : looked_at) fmt::print("   {:>18}", fmt::format("{} passes", passes));
    fmt::print("\n");
    const double by_mean = run(set, "L-BFGS, mean", mean, true);
    ratio = run(set, "L-BFGS, by slice", light, true) / by_mean;
    run(set, "momentum, mean", mean, false);
    run(set, "momentum, by slice", light, false);
  }
  fmt::print("slices = {:.2f} of the cost\n", ratio);
} catch (const std::exception& e) {
  fmt::print(stderr, "slices: {}\n", e.what());
  return dynamic_cast<const UserError*>(&e) ? 2 : 1;
}

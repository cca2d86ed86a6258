// A probe that varies over the scan, found by fits of simulated sets; and one that does not.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "core/random.hpp"
#include "solver/on_gpu.hpp"
#include "solver/shared_fit.hpp"
#include "solver/variables/position_options.hpp"
#include "solver/variables/probe_moves.hpp"
#include "solver/variables/variable_probe_options.hpp"
#include "solver/wander.hpp"

namespace ptyle {
namespace {

using test::FitScene;
using test::reader_of;

constexpr i64 lines = 8, count = lines * lines;
constexpr double defocus = 80, change = 0.25;  // Å; of it, to either side

/// From −1 to 1.
double time_of(i64 i) { return 2 * Philox(12, 0, std::uint64_t(i)).uniform() - 1; }
double current_of(i64 i) { return 1 + 0.2 * (Philox(11, 0, std::uint64_t(i)).uniform() - 0.5); }

/// A scan with a probe of each position's own.
class VaryingScene : public FitScene {
 public:
  VaryingScene(bool varies, bool flickers, i64 of = lines) : FitScene(0, {of, 2.5, 4}) {
    auto op = make_cpu_operator<double>(setup(), 1);
    op->set_object({truth(), {}});
    const FitData<double> here = data();
    const i64 positions = of * of;
    patterns_ = Array<double, 3>({positions, window, window});
    Array<Complex<double>, 3> probe({1, window, window}), exit(probe.shape());
    for (i64 i = 0; i < positions; ++i) {
      const double C10 = -defocus * (1 + (varies ? change * time_of(i) : 0));
      const auto wave = form_probe({wavelength, 0.025, {.C10 = C10}}, window, pixel);
      std::copy(wave.begin(), wave.end(), probe.begin());
      op->set_probe(probe);
      op->forward(place(here.positions[std::size_t(i)], window), exit);
      for (i64 k = 0; k < exit.size(); ++k)
        patterns_.data()[i * exit.size() + k] =
            std::norm(exit.data()[k]) * (flickers ? current_of(i) : 1);
    }
    spoil = [this](i64 i, double* to) {
      std::copy_n(patterns_.view()[i].data, window * window, to);
    };
  }
  VaryingScene(const VaryingScene&) = delete;

 private:
  Array<double, 3> patterns_;
};

const FitScene& varying() {
  static const VaryingScene scene(true, false);
  return scene;
}
const FitScene& flickering() {
  static const VaryingScene scene(false, true);
  return scene;
}
const FitScene& both() {
  static const VaryingScene scene(true, true);
  return scene;
}
/// A set of 16 positions.
const FitScene& small() {
  static const VaryingScene scene(true, true, 4);
  return scene;
}
const FitScene& steady() {
  static const VaryingScene scene(false, false);
  return scene;
}

FitOptions options_of(const VariableProbeOptions& probe) {
  FitOptions o;
  o.batches = 4;
  o.probe_from = 2;
  o.verify = true;
  o.parts.of<VariableProbeOptions>() = probe;
  return o;
}

/// The numbers of a record of all positions, one after the other.
std::vector<double> records(const Fit<double>& fit, const std::string& name) {
  const auto& field = fit.state().field(name);
  const i64 each = field.shape[2];
  i64 positions = 0;
  for (const Tile& tile : fit.tiles()) positions += std::ssize(tile.own);
  std::vector<double> all(std::size_t(each * positions));
  for (std::size_t t = 0; t < fit.tiles().size(); ++t) {
    const auto here = fit.arithmetic().on_host(field.on(t));
    for (std::size_t k = 0; k < fit.tiles()[t].own.size(); ++k)
      for (i64 n = 0; n < each; ++n)
        all[std::size_t(each * fit.tiles()[t].own[k] + n)] = here.view(0, i64(k), n);
  }
  return all;
}

struct Found {
  std::vector<double> x, e;
  Array<double, 3> object;
  double cost = 0;
  std::vector<Complex<double>> probe;  // all modes
};
Found found(const Fit<double>& fit, const FitScene& scene, double cost) {
  Found all;
  if (fit.state().has("mixture")) all.x = records(fit, "mixture");
  if (fit.state().has("intensity")) all.e = records(fit, "intensity");
  all.object = test::stitched(fit, scene.object());
  all.cost = cost;
  const auto probe =
      fit.arithmetic().on_host(std::as_const(fit.state().field("probe").waves).view());
  all.probe.assign(probe.view.begin(), probe.view.end());
  return all;
}
Found fitted(const FitScene& scene, const FitOptions& options, int iterations, const Mesh& mesh) {
  const auto team = make_local_team(mesh.ranks());
  auto fit = scene.fit(options, *team, {mesh});
  double cost = 0;
  for (int i = 0; i < iterations; ++i) cost = fit.iterate().fitted.cost;
  return found(fit, scene, cost);
}
Found fitted(const FitScene& scene, const FitOptions& options, int iterations, int ranks = 1) {
  return fitted(scene, options, iterations, scene.mesh(ranks));
}

/// Error of the sum over slices, away from the rim that few windows look at.
double error_of(const Found& found, const FitScene& scene) {
  constexpr i64 rim = 16;
  const auto& object = found.object;
  std::vector<double> difference;
  for (i64 y = rim; y < object.shape()[1] - rim; ++y)
    for (i64 x = rim; x < object.shape()[2] - rim; ++x) {
      double sum = 0;
      for (i64 z = 0; z < object.shape()[0]; ++z) sum += object(z, y, x) - scene.truth()(z, y, x);
      difference.push_back(sum);
    }
  const auto n = double(difference.size());
  const double mean = std::accumulate(difference.begin(), difference.end(), 0.0) / n;
  double square = 0;
  for (const double d : difference) square += (d - mean) * (d - mean) / n;
  return std::sqrt(square);
}

double correlation(const std::vector<double>& a, const std::vector<double>& b) {
  const auto n = double(a.size());
  const double of_a = std::accumulate(a.begin(), a.end(), 0.0) / n,
               of_b = std::accumulate(b.begin(), b.end(), 0.0) / n;
  double ab = 0, aa = 0, bb = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    ab += (a[i] - of_a) * (b[i] - of_b);
    aa += (a[i] - of_a) * (a[i] - of_a);
    bb += (b[i] - of_b) * (b[i] - of_b);
  }
  return ab / std::sqrt(aa * bb);
}

TEST(VariableProbe, FindsADefocusThatVaries) {
  constexpr int iterations = 40;
  const Found fixed = fitted(varying(), options_of({}), iterations),
              free = fitted(varying(), options_of({.modes = 2, .start = 6}), iterations);
  EXPECT_LT(free.cost, 0.4 * fixed.cost);
  EXPECT_LT(error_of(free, varying()), 0.75 * error_of(fixed, varying()));
  std::vector<double> first, time;
  for (i64 i = 0; i < count; ++i) {
    first.push_back(free.x[std::size_t(2 * i)]);
    time.push_back(time_of(i));
  }
  EXPECT_GT(std::abs(correlation(first, time)), 0.93);
}

TEST(VariableProbe, FindsTheCurrentOfTheBeam) {
  constexpr int iterations = 20;
  const Found fixed = fitted(flickering(), options_of({}), iterations),
              free = fitted(flickering(), options_of({.intensity = true, .start = 3}), iterations);
  EXPECT_LT(error_of(free, flickering()), error_of(fixed, flickering()));
  std::vector<double> current;
  for (i64 i = 0; i < count; ++i) current.push_back(current_of(i));
  const double mean = std::accumulate(current.begin(), current.end(), 0.0) / double(count);
  double all = 0;
  for (i64 i = 0; i < count; ++i) {
    const double f = std::pow(1 + free.e[std::size_t(i)], 2);
    EXPECT_NEAR(f, current[std::size_t(i)] / mean, 5e-3);  // a tenth of their deviation, and less
    all += f / double(count);
  }
  EXPECT_NEAR(all, 1, 1e-12);
}

/// A variation that is found too early is what the object still lacks.
TEST(VariableProbe, HardlyMovesWhereNothingVaries) {
  constexpr int iterations = 30;
  const Found fixed = fitted(steady(), options_of({}), iterations),
              free = fitted(steady(), options_of({.modes = 2, .intensity = true, .start = 8}),
                            iterations);
  EXPECT_LT(error_of(free, steady()), 1.05 * error_of(fixed, steady()));
  for (const double x : free.x) EXPECT_LT(std::abs(x), 0.1);
  for (const double e : free.e) EXPECT_LT(std::abs(e), 0.01);
}

FitOptions as_shared() {
  auto options = options_of({.modes = 2, .intensity = true, .start = 2});
  options.hold_out = 0.1;
  return options;
}

Complex<double> overlap(const std::vector<Complex<double>>& probe, std::size_t i, std::size_t j) {
  const std::size_t n = FitScene::window * FitScene::window;
  Complex<double> sum = 0, power = 0;
  for (std::size_t k = 0; k < n; ++k) {
    sum += std::conj(probe[n * i + k]) * probe[n * j + k];
    power += std::norm(probe[k]);
  }
  return sum / power;
}

TEST(VariableProbe, KeepsItsBasisAfterEveryIteration) {
  const auto team = make_local_team();
  auto fit = both().fit(as_shared(), *team, {both().mesh(1)});
  for (int i = 0; i < 4; ++i) {
    fit.iterate();
    const Found now = found(fit, both(), 0);
    if (i == 0) continue;
    EXPECT_NEAR(overlap(now.probe, 1, 1).real(), 1, 1e-12);
    EXPECT_NEAR(overlap(now.probe, 2, 2).real(), 1, 1e-12);
    for (const std::size_t mode : {1, 2}) {
      EXPECT_LT(std::abs(overlap(now.probe, 0, mode).real()), 1e-12);
      EXPECT_LT(std::abs(overlap(now.probe, 0, mode).imag()), 1e-4);  // before P_0 was the mean
    }
    EXPECT_LT(std::abs(overlap(now.probe, 1, 2).real()), 1e-12);
    std::vector<double> mean(2);
    double product = 0, squares = 0;
    for (const i64 p : fit.fitted()) {
      const double x = now.x[std::size_t(2 * p)], y = now.x[std::size_t(2 * p + 1)];
      mean[0] += x, mean[1] += y, product += x * y, squares += x * x;
    }
    EXPECT_GT(squares, 1e-4);
    EXPECT_LT(std::abs(mean[0]), 1e-12);
    EXPECT_LT(std::abs(mean[1]), 1e-12);
    EXPECT_LT(std::abs(product), 1e-10);
    for (const i64 p : fit.held_out()) EXPECT_EQ(now.x[std::size_t(2 * p)], 0);
  }
}

// Ranks, devices, and runs that were stopped

double apart(const std::vector<double>& a, const std::vector<double>& b) {
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i) most = std::max(most, std::abs(a[i] - b[i]));
  return most;
}
void expect_same(const Found& a, const Found& b, double within) {
  EXPECT_LT(apart(a.x, b.x), within);
  EXPECT_LT(apart(a.e, b.e), within);
  EXPECT_LT(test::apart(a.object, b.object), within);
}

TEST(VariableProbe, IsTheSameOnAnyNumberOfRanks) {
  const Found one = fitted(both(), as_shared(), 4);
  EXPECT_GT(apart(one.x, std::vector<double>(one.x.size())), 0.01);
  for (const int ranks : {2, 4, 9}) expect_same(fitted(both(), as_shared(), 4, ranks), one, 1e-11);
  for (const int ranks : {3, 7})
    expect_same(fitted(both(), as_shared(), 4, both().bisected(ranks)), one, 1e-11);
}

TEST(VariableProbe, IsTheSameForAnyNumberOfThreads) {
  auto options = as_shared();
  const Found one = fitted(both(), options, 4);
  options.threads = 3;
  const Found three = fitted(both(), options, 4);
  EXPECT_EQ(apart(three.x, one.x), 0);
  EXPECT_EQ(apart(three.e, one.e), 0);
  EXPECT_EQ(test::apart(three.object, one.object), 0);
}

TEST(VariableProbe, IsTheSameOnTheEmulatedGpu) {
  for (const int ranks : {1, 4}) {
    const Found host = fitted(small(), as_shared(), 3, ranks);
    EXPECT_GT(apart(host.x, std::vector<double>(host.x.size())), 0.01);
    const test::OnGpu gpu(true, {.guarded = true, .order = emulated::Order::others_first}, small());
    expect_same(fitted(small(), as_shared(), 3, ranks), host, test::rounding_of_operators);
  }
}

TEST(VariableProbe, GoesOnBitByBitFromTheMiddleOfAnIteration) {
  const auto team = make_local_team();
  auto first = both().fit(as_shared(), *team, {both().mesh(1)});
  for (int i = 0; i < 3; ++i) first.iterate();
  int batches = 0;
  EXPECT_FALSE(first.iterate([&] { return ++batches == 2; }).whole);
  const auto object = test::stitched(first, both().object());
  auto second = both().fit(as_shared(), *team, {both().mesh(1)}, object, first.probe());
  second.restore(first.numbers(), reader_of(first));
  for (auto* fit : {&first, &second}) {
    EXPECT_TRUE(fit->iterate().whole);
    fit->iterate();
  }
  const Found same = found(second, both(), 0), whole = found(first, both(), 0);
  EXPECT_EQ(same.x, whole.x);
  EXPECT_EQ(same.e, whole.e);
  EXPECT_EQ(same.probe, whole.probe);
  EXPECT_EQ(test::apart(same.object, whole.object), 0);
}

/// Records that change hands take their mixtures along.
TEST(VariableProbe, GoesWithPositionsThatWander) {
  auto options = as_shared();
  options.parts.add<test::WanderOptions>();
  options.parts.of<PositionOptions>().largest_move = 4 * FitScene::pixel;
  const auto run = [&](int ranks) {
    const auto team = make_local_team(ranks);
    auto fit = both().fit(options, *team, {both().mesh(ranks)});
    for (int i = 0; i < 4; ++i) fit.iterate();
    EXPECT_EQ(fit.handed_over().came > 0, ranks > 1);
    return found(fit, both(), 0);
  };
  const Found one = run(1);
  for (const int ranks : {4, 9}) expect_same(run(ranks), one, 1e-11);
}

/// Beside positions that are refined, the probe does not shift.
TEST(VariableProbe, LeavesShiftsToThePositions) {
  auto options = as_shared();
  auto& refinement = options.parts.of<PositionOptions>();
  refinement = {.refine = Switch::on, .model = PositionModel::free, .start = 2};
  refinement.largest_move = 4 * FitScene::pixel;
  const Found one = fitted(both(), options, 5);
  expect_same(fitted(both(), options, 5, 4), one, 1e-11);
  const std::size_t n = FitScene::window * FitScene::window;
  for (const bool along_rows : {true, false}) {
    Array<Complex<double>, 3> slope({1, FitScene::window, FitScene::window});
    std::copy_n(one.probe.begin(), n, slope.begin());
    differentiate<double>(slope, along_rows);
    for (const std::size_t mode : {1, 2}) {
      double along = 0, powers = 0;
      for (std::size_t k = 0; k < n; ++k) {
        along += (std::conj(one.probe[n * mode + k]) * slope.data()[k]).real();
        powers += std::sqrt(std::norm(slope.data()[k]) * std::norm(one.probe[n * mode + k]));
      }
      EXPECT_LT(std::abs(along) / powers, 0.03);  // before P_0 was the mean
    }
  }
}

// Refusals

template <class Make>
std::string refusal_of(Make&& make) {
  try {
    make();
  } catch (const UserError& error) {
    return error.what();
  }
  return "";
}

TEST(VariableProbe, IsRefusedWhereItCannotBe) {
  const auto team = make_local_team(4);
  const auto with = [&](auto&& change, int ranks, Scheme scheme = Scheme::owner) {
    return refusal_of([&] {
      auto options = options_of({.modes = 1});
      change(options);
      const auto few = make_local_team(ranks);
      (void)both().fit(options, *few, {both().mesh(ranks), scheme});
    });
  };
  const auto as_is = [](FitOptions&) {};
  const auto by_position = [](FitOptions& o) {
    o.batches = 1;
    o.parts.of<RuleOptions>().rule = RuleChoice::pie;
  };
  EXPECT_NE(with(by_position, 1).find("probe.variable"), std::string::npos);
  EXPECT_NE(with(as_is, 4, Scheme::none).find("probe.variable"), std::string::npos);
  EXPECT_NE(with([](FitOptions& o) { o.local_positions = 1; }, 4).find("probe.variable"),
            std::string::npos);
  EXPECT_NE(with([](FitOptions& o) { o.probe_from = 0; }, 1).find("probe.refine_from"),
            std::string::npos);
  EXPECT_EQ(with(as_is, 4), "");
}

}  // namespace
}  // namespace ptyle

// The sequential references against their formulas, written once more on the reference operator:
// its adjoint and its illumination, positions in the order that is drawn. And what goes with them.

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <string>

#include "core/error.hpp"
#include "solver/batches.hpp"
#include "solver/on_gpu.hpp"
#include "solver/penalties/quadratic.hpp"
#include "solver/rules/pie.hpp"
#include "solver/shared_fit.hpp"
#include "solver/variables/position_options.hpp"

namespace ptyle {
namespace {

using Value = Complex<double>;
using test::mesh_of;
using test::scene;
using test::stitched;

FitOptions pie_options(PieForm form = PieForm::epie) {
  FitOptions o = test::options(1);
  o.parts.of<RuleOptions>().rule = RuleChoice::pie;
  o.parts.of<RuleOptions>().pie.form = form;
  return o;
}

/// A small random object that absorbs, three overlapping windows on it, and patterns of another.
struct Small {
  static constexpr i64 window = 12, ny = 18, nx = 17, positions = 3;
  static constexpr i64 pixels = window * window;
  explicit Small(i64 slices_, i64 modes_ = 1)
      : slices(slices_),
        modes(modes_),
        phase({slices, ny, nx}),
        absorption({slices, ny, nx}),
        probe({modes, window, window}),
        patterns({positions, window, window}),
        valid({window, window}) {
    setup.window = window;
    setup.slices = slices;
    setup.modes = modes;
    setup.absorption = true;
    setup.epsilon = 1e-3;
    if (slices > 1) setup.propagator = propagator(window, 0.3, 0.02, 20, {0.004, 0.001});
    Philox random(3, 0, 0);
    for (double& v : phase) v = random.uniform();
    for (double& v : absorption) v = 0.3 * random.uniform();
    for (Value& v : probe) v = {random.uniform() - 0.5, random.uniform() - 0.5};
    // |Ψ|² of a pixel is about Σ|ψ|², 1/6 of a pixel of each mode.
    for (double& v : patterns) v = 2 * random.uniform() * double(modes * pixels) / 6;
    valid.fill(1);
    const double middle = double(window) / 2;
    at = {{middle + 1.3, middle + 0.8}, {middle + 4, middle + 2.25}, {middle + 2.6, middle + 4}};
  }

  [[nodiscard]] Fit<double> fit(const FitOptions& options) const {
    static const auto alone = make_local_team();
    FitData<double> data;
    data.positions = at;
    data.load = [this](i64 i, double* to) {
      std::copy_n(patterns.data() + i * pixels, pixels, to);
    };
    data.valid = valid.view();
    data.dk = 1;
    std::vector<TileStart<double>> start(1);
    start[0] = {converted<double, double, 3>(phase.view()),
                converted<double, double, 3>(absorption.view())};
    const Mesh whole({{0, ny}, {0, nx}}, {}, {}, Halo::exact(window));
    return {
        make_cpu_operator<double>(setup, 1),     data, options, *alone, {whole}, std::move(start),
        converted<Value, Value, 3>(probe.view())};
  }

  i64 slices, modes;
  OperatorSetup setup;
  Array<double, 3> phase, absorption;
  Array<Value, 3> probe;
  Array<double, 3> patterns;
  Array<double, 2> valid;
  std::vector<Position> at;
};

/// The formulas by the reference operator. With Δ the change of the exit wave, its adjoint of W²
/// times Δ's spectrum gives −Re(conj(χ) u) and Re(conj(χ) i u) of every slice, and so
/// u* χ = −∂μ + i ∂φ with χ = W² Δ; its illumination |u|².
class ByHand {
 public:
  ByHand(const Small& small, const FitOptions& options)
      : small_(small),
        options_(options),
        pie_(options.parts.of<RuleOptions>().pie),
        phase_(converted<double, double, 3>(small.phase.view())),
        absorption_(converted<double, double, 3>(small.absorption.view())),
        probe_(converted<Value, Value, 3>(small.probe.view())) {}

  void iterate(int iteration) {
    for (const i64 i : in_random_order({0, 1, 2}, options_.seed, iteration)) visit(i);
  }
  Array<double, 3>& phase() { return phase_; }
  Array<double, 3>& absorption() { return absorption_; }
  Array<Value, 3>& probe() { return probe_; }
  /// Beyond all windows a fit has vacuum.
  [[nodiscard]] bool reached(i64 voxel) const {
    const i64 y = voxel / Small::nx % Small::ny, x = voxel % Small::nx;
    return std::any_of(small_.at.begin(), small_.at.end(), [&](const Position& position) {
      const Placement at = place(position, Small::window);
      return y >= at.row && y < at.row + Small::window && x >= at.col && x < at.col + Small::window;
    });
  }

 private:
  using Plane = std::vector<double>;

  [[nodiscard]] double divisor(double x, double most, double alpha) const {
    return pie_.form == PieForm::epie ? most : (1 - alpha) * x + alpha * most;
  }

  /// |ψ_s|² = |u_s|² / |t_s|² in the window: that of all slices up to s less that of those before.
  [[nodiscard]] std::vector<Plane> incident(const Placement& at) const {
    std::vector<Plane> all;
    Array<double, 2> before({Small::ny, Small::nx});
    for (i64 s = 0; s < small_.slices; ++s) {
      OperatorSetup setup = small_.setup;
      setup.slices = s + 1;
      if (s == 0) setup.propagator.clear();
      const auto op = make_reference_operator(setup);
      const std::array<i64, 3> part{s + 1, Small::ny, Small::nx};
      op->set_object({{phase_.data(), part}, {absorption_.data(), part}});
      op->set_probe(probe_.view());
      Array<double, 2> sum({Small::ny, Small::nx});
      (void)op->gradient({&at, 1}, [](i64, double* to) { std::fill_n(to, Small::pixels, 1.0); },
                         {Part::illumination}, {{}, {}, sum.view(), {}});
      Plane plane;
      for (i64 i = 0; i < Small::pixels; ++i) {
        const i64 y = at.row + i / Small::window, x = at.col + i % Small::window;
        const double u = double(s + 1) * sum(y, x) - before(y, x);
        plane.push_back(u * std::exp(2 * absorption_(s, y, x)));
      }
      for (i64 i = 0; i < sum.size(); ++i) before.data()[i] = double(s + 1) * sum.data()[i];
      all.push_back(std::move(plane));
    }
    return all;
  }

  void visit(i64 position) {
    const Placement at = place(small_.at[std::size_t(position)], Small::window);
    const auto op = make_reference_operator(small_.setup);
    op->set_object({phase_.view(), absorption_.view()});
    op->set_probe(probe_.view());
    Array<Value, 3> change(probe_.shape());
    op->forward(at, change);
    for (i64 k = 0; k < Small::pixels; ++k) {
      double model = 0;
      for (i64 m = 0; m < small_.modes; ++m) model += std::norm(change.view()[m].data[k]);
      const double y = small_.patterns.view()[position].data[k], e = small_.setup.epsilon;
      const bool seen = y >= 0 && small_.valid.data()[k] > 0;
      for (i64 m = 0; m < small_.modes; ++m)
        change.view()[m].data[k] *= seen ? std::sqrt((y + e) / (model + e)) - 1 : 0;
    }
    Array<double, 3> d_phase(phase_.shape()), d_absorption(phase_.shape());
    Array<Value, 3> d_probe(probe_.shape());
    op->adjoint(at, change, {d_phase.view(), d_absorption.view(), {}, d_probe.view()});
    move(at, d_phase, d_absorption, d_probe);
  }

  void move(const Placement& at, const Array<double, 3>& d_phase,
            const Array<double, 3>& d_absorption, const Array<Value, 3>& d_probe) {
    const auto psi = incident(at);
    Plane t2(Small::pixels);
    double clearest = 0;
    double later = double(Small::pixels);  // W² Π max |t|² of the slices behind
    for (i64 s = small_.slices - 1; s >= 0; --s) {
      const Plane& intensity = psi[std::size_t(s)];
      const double most = *std::max_element(intensity.begin(), intensity.end());
      clearest = 0;
      for (i64 i = 0; i < Small::pixels; ++i) {
        const i64 y = at.row + i / Small::window, x = at.col + i % Small::window;
        t2[std::size_t(i)] = std::exp(-2 * absorption_(s, y, x));
        clearest = std::max(clearest, t2[std::size_t(i)]);
        const Value overlap(-d_absorption(s, y, x), d_phase(s, y, x));
        const double step = pie_.form == PieForm::epie ? pie_.alpha_in_use() : 1;
        const Value quotient = 1.0 + step * overlap /
                                         (later * t2[std::size_t(i)] *
                                          divisor(intensity[i], most, pie_.alpha_in_use()));
        phase_(s, y, x) = std::max(options_.phase_min, phase_(s, y, x) + std::arg(quotient));
        absorption_(s, y, x) = std::max(0.0, absorption_(s, y, x) - std::log(std::abs(quotient)));
      }
      later *= clearest;
    }
    if (options_.probe_from == 0) return;
    // A divisor of each pixel's own is that of the probe only where it is not shifted.
    const double step = pie_.form == PieForm::epie ? pie_.beta : 1;
    for (i64 i = 0; i < probe_.size(); ++i)
      probe_.data()[i] +=
          step * d_probe.data()[i] * clearest /
          (later * divisor(t2[std::size_t(i % Small::pixels)], clearest, pie_.beta));
  }

  const Small& small_;
  const FitOptions& options_;
  const PieOptions pie_;
  Array<double, 3> phase_, absorption_;
  Array<Value, 3> probe_;
};

/// Two iterations of three positions are six updates, each of 3 S transforms that differ by 1e-16
/// of the largest amplitude; where rPIE divides by a tenth of the largest intensity and a model's
/// amplitude is small they are multiplied by up to 100 together.
constexpr double rounding = 6 * 6 * 100 * 1e-16 * 10;

void compare(const Small& small, FitOptions o, bool with_probe = true) {
  o.probe_from = with_probe ? 1 : 0;
  auto fit = small.fit(o);
  ByHand hand(small, o);
  for (int i = 1; i <= 2; ++i) {
    fit.iterate();
    hand.iterate(i);
  }
  const auto far_from = [&](const char* field, const Array<double, 3>& expected) {
    double most = 0;
    const auto values = std::as_const(fit.state()).field(field).on(0);
    for (i64 i = 0; i < expected.size(); ++i)
      if (hand.reached(i)) most = std::max(most, std::abs(values.data[i] - expected.data()[i]));
    return most;
  };
  EXPECT_LT(far_from("phase", hand.phase()), rounding);
  EXPECT_LT(far_from("absorption", hand.absorption()), rounding);
  EXPECT_GT(far_from("phase", small.phase), 0.1);
  double probe = 0;
  for (i64 i = 0; with_probe && i < hand.probe().size(); ++i)
    probe = std::max(probe, std::abs(fit.probe().data[i] - hand.probe().data()[i]));
  EXPECT_LT(probe, rounding);
}

class Pie : public testing::TestWithParam<PieForm> {};

TEST_P(Pie, OfOneSliceIsItsFormula) {
  auto o = pie_options(GetParam());
  compare(Small(1), o);
  o.phase_min = 0.1;
  o.parts.of<RuleOptions>().pie.alpha = 0.4;
  compare(Small(1), o);
}

TEST_P(Pie, OfSeveralSlicesIsItsFormula) {
  auto o = pie_options(GetParam());
  compare(Small(2), o);
  o.seed = 5;
  compare(Small(3), o);
}

TEST_P(Pie, OnPixelsHasItsProbesDivisor) {
  Small small(2);
  for (Position& at : small.at) at = {std::round(at.row), std::round(at.col)};
  auto o = pie_options(GetParam());
  o.parts.of<RuleOptions>().pie.beta = 0.4;
  compare(small, o);
}

/// Without the probe: powers of several modes are fitted in addition once it is refined.
TEST_P(Pie, OfSeveralModesIsItsFormula) { compare(Small(2, 3), pie_options(GetParam()), false); }

TEST_P(Pie, LeavesPixelsThatAreNotMeasured) {
  Small small(2);
  for (i64 k = 0; k < Small::pixels; k += 5) small.valid.data()[k] = 0;
  for (i64 k = 0; k < small.patterns.size(); k += 7) small.patterns.data()[k] = -1;
  compare(small, pie_options(GetParam()));
  const auto cost_of = [&] { return small.fit(pie_options(GetParam())).iterate().fitted.cost; };
  const double before = cost_of();
  for (i64 k = 0; k < small.patterns.size(); ++k)
    if (k % Small::pixels % 5 == 0) small.patterns.data()[k] = 1e6;
  EXPECT_EQ(cost_of(), before);
}

/// Nearer to the object and to the patterns than vacuum is: how far, no formula says.
TEST_P(Pie, MovesTowardsTheObject) {
  auto o = pie_options(GetParam());
  o.probe_from = 0;
  auto fit = scene().fit(o);
  double first = 0, last = 0;
  for (int i = 0; i < 30; ++i) {
    last = fit.iterate().fitted.cost;
    if (i == 0) first = last;
  }
  EXPECT_LT(last, first);
  const auto found = stitched(fit, scene().object());
  const auto truth = scene().truth();
  double distance = 0, of_vacuum = 0;
  for (i64 k = 0; k < truth.size(); ++k) {
    distance += std::pow(found.data()[k] - truth.data[k], 2);
    of_vacuum += std::pow(truth.data[k], 2);
  }
  EXPECT_LT(distance, of_vacuum);
}

TEST_P(Pie, GoesOnBitByBitWhereItWasStopped) {
  const auto o = pie_options(GetParam());
  const auto alone = make_local_team();
  auto whole = scene().fit(o);
  for (int i = 0; i < 4; ++i) whole.iterate();
  auto first = scene().fit(o);
  for (int i = 0; i < 2; ++i) first.iterate();
  auto second =
      scene().fit(o, *alone, {mesh_of(1)}, stitched(first, scene().object()), first.probe());
  second.restore(first.numbers(), test::reader_of(first));
  for (int i = 0; i < 2; ++i) second.iterate();
  EXPECT_EQ(test::apart(stitched(second, scene().object()), stitched(whole, scene().object())), 0);
  for (i64 i = 0; i < whole.probe().size(); ++i)
    ASSERT_EQ(second.probe().data[i], whole.probe().data[i]);
}

INSTANTIATE_TEST_SUITE_P(Forms, Pie, testing::Values(PieForm::epie, PieForm::rpie),
                         [](const auto& tested) { return std::string(word_of(tested.param)); });

TEST(PieRule, ShufflesAnewInEveryIterationOfASeed) {
  std::vector<i64> all(50);
  for (i64 i = 0; i < 50; ++i) all[std::size_t(i)] = i;
  const auto first = in_random_order(all, 1, 1);
  EXPECT_EQ(first, in_random_order(all, 1, 1));
  EXPECT_NE(first, in_random_order(all, 1, 2));
  EXPECT_NE(first, in_random_order(all, 2, 1));
  EXPECT_TRUE(std::is_permutation(first.begin(), first.end(), all.begin()));
}

TEST(PieRule, HasNothingFromHeldOutPatterns) {
  auto o = pie_options();
  o.hold_out = 0.2;
  const auto held_out = held_out_positions(25, o.hold_out, o.seed);
  const auto after = [&](double factor) {
    scene().spoil = [&, factor](i64 i, double* to) {
      if (std::binary_search(held_out.begin(), held_out.end(), i))
        for (i64 k = 0; k < test::FitScene::window * test::FitScene::window; ++k) to[k] *= factor;
    };
    auto fit = scene().fit(o);
    const auto report = fit.iterate();
    scene().spoil = {};
    return std::pair(stitched(fit, scene().object()), report.held_out.r_factor());
  };
  const auto [object, r] = after(1);
  const auto [spoilt, worse] = after(4);
  EXPECT_EQ(test::apart(spoilt, object), 0);
  EXPECT_GT(worse, r);
}

TEST(PieRule, IsBookedAsPlanned) {
  Ledger ledger;
  const auto o = pie_options();
  const auto alone = make_local_team();
  const Sharing sharing{mesh_of(1)};
  const auto fit = scene().fit(o, *alone, sharing, scene().vacuum(), scene().probe(), &ledger);
  const auto planned = fit_memory<double>(scene().setup(), o, sharing, 0, 25).arrays.at("waves");
  // (S + 1) M waves, S transmissions, a propagator and a plane of numbers, S = 2 and M = 1
  EXPECT_EQ(planned, double(7 * 32 * 32 * sizeof(Value)));
  for (const auto& entry : ledger.entries())
    if (entry.name == "waves") {
      EXPECT_EQ(double(entry.now), planned);
    }
}

std::string refusal(const FitOptions& o, int ranks = 1) {
  try {
    check_options(o, {mesh_of(ranks)}, 2);
  } catch (const UserError& e) {
    return e.what();
  }
  return "none";
}

TEST(PieRule, IsRefusedWhereItCannotBe) {
  auto o = pie_options();
  EXPECT_EQ(refusal(o), "none");
  EXPECT_EQ(refusal(o, 2),
            "solver.rule: pie runs on one rank, not 2: the update of a position starts from that "
            "of the position before, so that each rank would wait for all others");
  o.parts.of<PenaltyOptions>().lateral = 1;
  EXPECT_EQ(refusal(o),
            "penalty.lateral: does not go with solver.rule: pie, which moves by one position after "
            "the other: leave it out");
  o = pie_options();
  o.parts.of<PositionOptions>().refine = Switch::on;
  EXPECT_EQ(refusal(o),
            "positions.refine: does not go with solver.rule: pie, which moves object and probe "
            "alone: off, or left out");
  o = pie_options();
  o.continuation = test::coarse_to_fine();
  EXPECT_EQ(refusal(o),
            "solver.continuation: does not go with solver.rule: pie, which has all frequencies and "
            "slices from the start: off, or left out");
  o = pie_options();
  o.batches = 4;
  EXPECT_NE(refusal(o).find("4 are too many for solver.rule: pie"), std::string::npos);
}

TEST(PieRule, NeedsTheHostAndModuli) {
  {
    const test::OnGpu gpu(true);
    auto fit = scene().fit(pie_options());
    EXPECT_THROW(fit.iterate(), UserError);
  }
  const test::FitScene counted(10);  // whose positions its fit looks at
  auto poisson = counted.fit(pie_options());
  EXPECT_THROW(poisson.iterate(), UserError);
}

}  // namespace
}  // namespace ptyle

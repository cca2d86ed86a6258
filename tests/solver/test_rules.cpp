// The rules by which the object moves: the same on any ranks and on a GPU, resumed bit by bit,
// booked as planned; and that they find the object.

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "core/error.hpp"
#include "solver/on_gpu.hpp"
#include "solver/penalties/quadratic.hpp"
#include "solver/rules/low_pass.hpp"
#include "solver/rules/on_cores.hpp"
#include "solver/rules/transfer.hpp"
#include "solver/shared_fit.hpp"

namespace ptyle {
namespace {

using test::apart;
using test::coarse_to_fine;
using test::mesh_of;
using test::scene;
using test::stitched;

struct Case {
  const char* name;
  RuleChoice rule;
  i64 batches;
  PreconditionerChoice preconditioner = PreconditionerChoice::illumination;
};
void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

constexpr Case all_rules[] = {
    {"lbfgs", RuleChoice::lbfgs, 1},
    {"momentum", RuleChoice::momentum, 5},
    {"momentum_whole_scan", RuleChoice::momentum, 1},
    {"adam", RuleChoice::adam, 5},
    {"gauss_newton", RuleChoice::gauss_newton, 1},
    {"lbfgs_transfer", RuleChoice::lbfgs, 1, PreconditionerChoice::transfer},
    {"gauss_newton_transfer", RuleChoice::gauss_newton, 1, PreconditionerChoice::transfer},
    {"momentum_transfer", RuleChoice::momentum, 5, PreconditionerChoice::transfer}};

FitOptions options_of(const Case& c) {
  FitOptions o = test::options(c.batches);
  o.parts.of<RuleOptions>().rule = c.rule;
  o.parts.of<RuleOptions>().preconditioner = c.preconditioner;
  o.parts.of<RuleOptions>().transfer.pixels = 3;
  o.parts.of<RuleOptions>().adam_step = 0.01;  // of phases up to 0.5 rad
  return o;
}

constexpr int iterations = 5;

Array<double, 3> fitted(const FitOptions& o, const Sharing& sharing) {
  const auto team = make_local_team(sharing.mesh.ranks());
  auto fit = scene().fit(o, *team, sharing);
  for (int i = 0; i < iterations; ++i) fit.iterate();
  return stitched(fit, scene().object());
}

class Rule : public testing::TestWithParam<Case> {
 protected:
  /// Sums in another order differ by 1e-16 of the largest. A quotient of dot products of a step, of
  /// which there are two a pair, and Adam's quotient of a voxel's, multiply that by up to the ratio
  /// of the largest to the smallest curvature that is looked at, 1e4 in five iterations.
  static constexpr double rounding = 1e-10;
  /// On meshes of 2 to 9 ranks, and bisections.
  static void compare(const FitOptions& o) {
    const auto one = fitted(o, {mesh_of(1)});
    EXPECT_GT(test::largest(one), 0.05);
    for (const int ranks : {2, 4, 6, 9}) {
      EXPECT_LT(apart(fitted(o, {mesh_of(ranks)}), one), rounding) << ranks;
      EXPECT_LT(apart(fitted(o, {scene().bisected(ranks)}), one), rounding) << "bisected " << ranks;
    }
    EXPECT_LT(apart(fitted(o, {mesh_of(4), Scheme::separable}), one), rounding);
  }
};

TEST_P(Rule, IsTheSameOnAnyRanks) { compare(options_of(GetParam())); }

TEST_P(Rule, IsTheSameOnAnyRanksCoarseToFineWithinLimits) {
  auto o = options_of(GetParam());
  o.continuation = coarse_to_fine();
  o.phase_min = 0;
  o.parts.of<PenaltyOptions>().lateral = 0.01;
  o.hold_out = 0.1;
  compare(o);
}

TEST_P(Rule, LowersTheCost) {
  auto o = options_of(GetParam());
  o.probe_from = 0;
  auto fit = scene().fit(o);
  double first = 0, last = 0;
  for (int i = 0; i < 30; ++i) {
    const auto report = fit.iterate();
    ASSERT_TRUE(std::isfinite(report.fitted.cost)) << i;
    (i == 0 ? first : last) = report.fitted.cost;
  }
  EXPECT_LT(last, 0.01 * first);
  for (const double phase : fit.state().field("phase").on(0)) ASSERT_TRUE(std::isfinite(phase));
}

TEST_P(Rule, CountsItsPassesOnAnyRanks) {
  auto o = options_of(GetParam());
  o.hold_out = 0.1;
  const auto passes = [&](int ranks) {
    const auto team = make_local_team(ranks);
    auto fit = scene().fit(o, *team, {mesh_of(ranks)});
    fit.iterate();
    return fit.iterate().passes;
  };
  const double alone = passes(1);
  EXPECT_GE(alone, 2) << "two gradients of all that are fitted";
  EXPECT_EQ(passes(4), alone) << "whole numbers of positions, over as many";
}

TEST(Passes, AreIterationsWhereAStepCostsNothingElse) {
  auto o = test::options(5);
  o.hold_out = 0.1;  // what judges the fit is no pass of it
  o.parts.of<RuleOptions>().step = 0.3;
  auto fit = scene().fit(o);
  for (int i = 1; i <= 3; ++i) EXPECT_EQ(fit.iterate().passes, i);
  o.parts.of<RuleOptions>().step = 0;
  EXPECT_GT(scene().fit(o).iterate().passes, 1) << "steps are estimated and tried";
}

TEST_P(Rule, GoesOnBitByBitWhereItWasStopped) {
  const auto o = options_of(GetParam());
  const auto four = make_local_team(4), three = make_local_team(3);
  auto whole = scene().fit(o, *four, {mesh_of(4)});
  for (int i = 0; i < iterations; ++i) whole.iterate();
  auto first = scene().fit(o, *four, {mesh_of(4)});
  for (int i = 0; i < 3; ++i) first.iterate();
  const auto object = stitched(first, scene().object());
  const auto go_on = [&](Team& team, const Sharing& sharing, bool with_fields) {
    auto second = scene().fit(o, team, sharing, object, first.probe());
    if (with_fields)
      second.restore(first.numbers(), test::reader_of(first));
    else
      second.restore(first.numbers());
    for (int i = 3; i < iterations; ++i) second.iterate();
    return stitched(second, scene().object());
  };
  const auto expected = stitched(whole, scene().object());
  EXPECT_EQ(apart(go_on(*four, {mesh_of(4)}, true), expected), 0);
  EXPECT_LT(apart(go_on(*three, {mesh_of(3)}, true), expected), rounding);
  // Gauss-Newton looks back only where a step has not lowered the cost.
  if (GetParam().rule == RuleChoice::gauss_newton) return;
  EXPECT_GT(apart(go_on(*four, {mesh_of(4)}, false), expected), 1e-6) << "it remembers nothing";
}

TEST_P(Rule, IsBookedAsPlannedOnCores) {
  Ledger ledger;
  const auto o = options_of(GetParam());
  const auto team = make_local_team(4);
  const auto fit = scene().fit(o, *team, {mesh_of(4)}, scene().vacuum(), scene().probe(), &ledger);
  std::map<std::string, double> planned;
  double cores = 0;
  for (int rank = 0; rank < 4; ++rank) {
    cores += double(mesh_of(4).core(rank).area());
    for (const auto& [account, bytes] :
         fit_memory<double>(scene().setup(), o, {mesh_of(4)}, rank,
                            i64(fit.tiles()[std::size_t(rank)].own.size()))
             .arrays)
      planned[account] += bytes;
  }
  const std::map<RuleChoice, std::pair<std::string, double>> of_rule{
      {RuleChoice::lbfgs, {"l-bfgs", 2 * 9 + 1}},
      {RuleChoice::gauss_newton, {"gauss-newton", 7}},
      {RuleChoice::momentum, {"momentum", 3}},
      {RuleChoice::adam, {"adam", 3}}};
  const auto& [account, volumes] = of_rule.at(GetParam().rule);
  EXPECT_EQ(planned.at(account), volumes * cores * test::FitScene::slices * sizeof(double));
  for (const auto& entry : ledger.entries())
    if (entry.name == account) {
      EXPECT_EQ(double(entry.now), planned.at(account));
    }
}

// Sums, which decide on steps, are in another order there.
TEST_P(Rule, IsTheSameOnAnEmulatedGpu) {
  auto o = options_of(GetParam());
  o.phase_min = 0;
  for (const int ranks : {1, 4}) {
    if (ranks > 1) o.continuation = coarse_to_fine();
    const auto on_host = fitted(o, {mesh_of(ranks)});
    const test::OnGpu gpu(true, {.guarded = true, .order = emulated::Order::others_first});
    EXPECT_LT(apart(fitted(o, {mesh_of(ranks)}), on_host), 1e3 * test::rounding_of_operators);
  }
}

INSTANTIATE_TEST_SUITE_P(Rules, Rule, testing::ValuesIn(all_rules),
                         [](const auto& tested) { return std::string(tested.param.name); });

TEST(Lbfgs, TakesTheWholeScanAtOnce) {
  auto o = options_of(all_rules[0]);
  o.batches = 2;
  try {
    check_options(o, {mesh_of(1)}, 2);
    ADD_FAILURE() << "was not refused";
  } catch (const UserError& e) {
    EXPECT_STREQ(e.what(),
                 "solver.batches: 2 are too many for solver.rule: lbfgs, whose mini-batch is the "
                 "whole scan: "
                 "leave it out, or set it to 1");
  }
}

TEST(Lbfgs, NeedsFewerIterationsThanDescentOfTheWholeScan) {
  const auto cost_after = [](RuleChoice rule) {
    FitOptions o = test::options(1);
    o.parts.of<RuleOptions>().rule = rule;
    o.probe_from = 0;
    auto fit = scene().fit(o);
    for (int i = 1; i < 30; ++i) fit.iterate();
    return fit.iterate().fitted.cost;
  };
  EXPECT_LT(cost_after(RuleChoice::lbfgs), 0.3 * cost_after(RuleChoice::descent));
}

/// Rules that judge a step by the next iteration's cost. They go back where a step is much too long
/// (few counts, Poisson).
class WholeScan : public testing::TestWithParam<RuleChoice> {
 protected:
  static const test::FitScene& few() {
    static const test::FitScene scene(3);
    return scene;
  }
  static FitOptions asked() {
    FitOptions o = test::options(1);
    o.parts.of<RuleOptions>().rule = GetParam();
    o.probe_from = 0;
    return o;
  }
};

/// The costs of steps that are kept fall all the way.
TEST_P(WholeScan, KeepsNoStepThatRaisesTheCost) {
  auto fit = few().fit(asked());
  double least = 1e300;
  int steps_back = 0;
  for (int i = 0; i < 20; ++i) {
    const double cost = fit.iterate().fitted.cost;
    if (cost > least + 1e-7 * std::abs(least)) ++steps_back;
    least = std::min(least, cost);
  }
  EXPECT_LT(steps_back, 8);
  fit.end();
  EXPECT_LE(fit.iterate().fitted.cost, least + 1e-7 * std::abs(least));
}

/// Whenever a fit ends, its object is as good as the best of before.
TEST_P(WholeScan, JudgesTheLastStepAtTheEnd) {
  int mended = 0;
  for (int last = 1; last < 12; ++last) {
    auto fit = few().fit(asked());
    double least = 1e300;
    for (int i = 0; i < last; ++i) least = std::min(least, fit.iterate().fitted.cost);
    const auto before = stitched(fit, few().object());
    fit.end();
    mended += apart(stitched(fit, few().object()), before) > 0 ? 1 : 0;
    EXPECT_LE(fit.iterate().fitted.cost, least + 1e-7 * std::abs(least)) << last;
  }
  EXPECT_GT(mended, 0);
}

/// Wherever it is stopped; where its last step is given up, it needs what it has kept of before.
TEST_P(WholeScan, GoesOnBitByBitInsideAStepBack) {
  int remembered = 0;
  const auto alone = make_local_team(1);
  const Sharing whole{few().mesh(1)};
  auto fit = few().fit(asked(), *alone, whole);
  for (int stop = 0; stop < 15; ++stop) {
    const auto object = stitched(fit, few().object());
    const auto go_on = [&](bool with_fields) {
      auto second = few().fit(asked(), *alone, whole, object, fit.probe());
      second.restore(fit.numbers(), with_fields ? test::reader_of(fit) : FieldReader<double>{});
      second.iterate();
      return stitched(second, few().object());
    };
    const auto with_fields = go_on(true), without = go_on(false);
    fit.iterate();
    EXPECT_EQ(apart(with_fields, stitched(fit, few().object())), 0) << stop;
    remembered += apart(without, with_fields) > 0 ? 1 : 0;
  }
  EXPECT_GT(remembered, 0);
}

INSTANTIATE_TEST_SUITE_P(Rules, WholeScan,
                         testing::Values(RuleChoice::lbfgs, RuleChoice::gauss_newton),
                         [](const auto& tested) { return std::string(word_of(tested.param)); });

TEST(Transfer, GoesWithRulesThatAskForIt) {
  FitOptions o = test::options(1);
  o.parts.of<RuleOptions>().preconditioner = PreconditionerChoice::transfer;
  for (const auto rule : {RuleChoice::descent, RuleChoice::adam}) {
    o.parts.of<RuleOptions>().rule = rule;
    try {
      check_options(o, {mesh_of(1)}, 2);
      ADD_FAILURE() << "was not refused";
    } catch (const UserError& e) {
      EXPECT_NE(std::string(e.what()).find(
                    "transfer goes with solver.rule lbfgs, gauss_newton or momentum"),
                std::string::npos);
    }
  }
  o.parts.of<RuleOptions>().rule = RuleChoice::lbfgs;
  EXPECT_NO_THROW(check_options(o, {mesh_of(1)}, 2));
}

TEST(Transfer, NeedsAHaloAsWideAsItReaches) {
  auto o = options_of(all_rules[5]);
  const Sharing sharing{mesh_of(4)};
  o.parts.of<RuleOptions>().transfer.pixels = sharing.mesh.reach();
  EXPECT_NO_THROW(check_options(o, sharing, 2));
  o.parts.of<RuleOptions>().transfer.pixels = sharing.mesh.reach() + 1;
  EXPECT_THROW(check_options(o, sharing, 2), UserError);
}

TEST(Transfer, ReachesAsFarAsTheApertureSays) {
  TransferOptions options;
  EXPECT_EQ(reach_of_transfer(options, 1.25, 0.2, 64), 10);
  EXPECT_EQ(reach_of_transfer(options, 1.25, 0.02, 256), 32);  // 100 px are more than pay
  EXPECT_EQ(reach_of_transfer(options, 0, 0.2, 64), 11);
  EXPECT_EQ(reach_of_transfer(options, 0, 0.2, 16), 7);  // a halo has 7 px behind a voxel
  options.reach = 3;
  EXPECT_EQ(reach_of_transfer(options, 1.25, 0.2, 64), 15);
}

/// By the transfer L-BFGS needs fewer iterations than by the illumination.
TEST(Transfer, LowersTheCostFaster) {
  const auto cost_after = [](PreconditionerChoice preconditioner) {
    auto o = options_of(all_rules[0]);
    o.parts.of<RuleOptions>().preconditioner = preconditioner;
    o.probe_from = 0;
    auto fit = scene().fit(o);
    for (int i = 1; i < 20; ++i) fit.iterate();
    return fit.iterate().fitted.cost;
  };
  EXPECT_LT(cost_after(PreconditionerChoice::transfer),
            0.7 * cost_after(PreconditionerChoice::illumination));
}

/// Twice a background b halves f" = ½ / (I + b), and with it the kernel, up to I/b.
TEST(Transfer, KnowsTheBackgroundOfItsPatterns) {
  const test::FitScene scene;
  const double b = 10 * scene.brightest();
  const auto kernel_with = [&](double background) {
    scene.background = background;
    auto fit = scene.fit(options_of(all_rules[5]), true);  // lbfgs_transfer
    fit.iterate();
    const auto& kernel = fit.state().field("transfer.kernel").waves;
    return kernel.data()[kernel.size() / 2].real();
  };
  const double ratio = kernel_with(2 * b) / kernel_with(b);
  EXPECT_GT(ratio, 0.5);
  EXPECT_LT(ratio, 1.1 / 2.1);  // where I = b/10
}

/// An option of a test's own that shows a rule its trial.
struct LookOptions {
  std::function<void(State<double>&)> declare;
  std::function<void(const Trial<double>&)> look;
  template <class T>
  class Look final : public UpdateRule<T> {
   public:
    explicit Look(const LookOptions& options) : declare_(options.declare), look_(options.look) {}
    void declare(State<T>& state) override {
      if constexpr (std::is_same_v<T, double>)
        if (declare_) declare_(state);
      for (const char* name : {"a", "b", "c"}) declare_on_cores(state, name, "test", false);
    }
    void step(const Trial<T>& trial) override {
      if constexpr (std::is_same_v<T, double>) look_(trial);
    }
    [[nodiscard]] double step_in_use(const Workspace<T>&) const override { return 0; }

   private:
    std::function<void(State<double>&)> declare_;
    std::function<void(const Trial<double>&)> look_;
  };
  template <class T>
  void add_to(Parts<T>& parts) const {
    parts.rule = std::make_unique<Look<T>>(*this);
  }
};
template <class V>
void keys(V&, LookOptions&) {}

/// ⟨M x, y⟩ = ⟨x, M y⟩ and ⟨M x, x⟩ > 0 for M low-passed, of blocks of slices.
void expect_symmetric(const std::function<std::unique_ptr<Preconditioning<double>>()>& make) {
  for (const int ranks : {1, 4}) {
    FitOptions o = test::options(1);
    o.continuation = coarse_to_fine();
    bool looked = false;
    const auto m = make();
    o.parts.add<LookOptions>().declare = [&](State<double>& state) { m->declare(state); };
    o.parts.of<LookOptions>().look = [&](const Trial<double>& trial) {
      looked = true;
      Workspace<double>& with = trial.with;
      m->prepare(trial);
      OnCores<double> cores;
      const auto volumes = [&](const char* name) {
        return Volumes<double>{&with.state.field(std::string(name) + ".phase"), nullptr};
      };
      const auto random = [&](const Volumes<double>& to, int seed) {
        for (std::size_t t = 0; t < with.tiles.size(); ++t) {
          Philox numbers(seed, std::uint32_t(t), 0);
          auto there = to.phase->on(t);
          for (i64 i = 0; i < there[0].size(); ++i)
            there[0].data[i] = there[1].data[i] = 2 * numbers.uniform() - 1;  // one block
        }
      };
      const auto a = volumes("a"), b = volumes("b"), c = volumes("c");
      const auto apply = [&](const Volumes<double>& from, const Volumes<double>& to) {
        cores.put(with, from, trial.object.gradient);
        low_passed<double>(trial, trial.object.gradient,
                           [&] { m->apply(trial, trial.object.gradient); });
        cores.take(with, trial.object.gradient, to);
      };
      for (const auto& [volume, seed] : {std::pair(a, 1), std::pair(b, 2)}) {
        random(volume, seed);
        cores.put(with, volume, trial.object.gradient);  // vacuum outside the object's support
        for (std::size_t t = 0; t < with.tiles.size(); ++t)
          with.blank(t, trial.object.gradient.phase->on(t));
        cores.take(with, trial.object.gradient, volume);
      }
      apply(a, c);
      const double ma_b = dot(with, c, b), ma_a = dot(with, c, a);
      apply(b, c);
      // Some 1e4 products in double.
      EXPECT_NEAR(dot(with, c, a) / ma_b, 1, 1e-12);
      EXPECT_GT(ma_a, 0);
    };
    const auto team = make_local_team(ranks);
    auto fit = scene().fit(o, *team, {mesh_of(ranks)});
    fit.iterate();
    EXPECT_TRUE(looked);
  }
}

/// ⟨d, H d⟩ is twice the curvature, penalties included, of blocks of slices. Sums of positive
/// terms, some 1e6 of them in another order.
TEST(GaussNewton, ProductIsThatOfTheCurvature) {
  for (const int ranks : {1, 4}) {
    FitOptions o = test::options(1);
    o.continuation = coarse_to_fine();
    o.parts.of<PenaltyOptions>() = {.square = 20, .lateral = 500, .along_z = 300};
    bool looked = false;
    Volumes<double> product;
    o.parts.add<LookOptions>().declare = [&](State<double>& state) {
      product.phase =
          &state.declare({"product", "test", Kind::voxels, {test::FitScene::slices, 0, 0}});
    };
    o.parts.of<LookOptions>().look = [&](const Trial<double>& trial) {
      looked = true;
      Workspace<double>& with = trial.with;
      const Volumes<double> d{&with.state.field("a.phase"), nullptr},
          h_d{&with.state.field("b.phase"), nullptr};
      for (std::size_t t = 0; t < with.tiles.size(); ++t) {
        Philox numbers(3, std::uint32_t(t), 0);
        const auto there = d.phase->on(t);
        for (i64 i = 0; i < there[0].size(); ++i)
          there[0].data[i] = there[1].data[i] = 2 * numbers.uniform() - 1;  // one block
      }
      OnCores<double> cores;
      cores.put(with, d, trial.object.gradient);
      with.halos.fill(trial.object.gradients(1, false));
      trial.product(trial.object.gradient, product);
      cores.take(with, product, h_d);
      const double bend = trial.curvature(trial.batch.members, trial.object.gradient);
      EXPECT_NEAR(dot(with, d, h_d) / (2 * bend), 1, 1e-12) << ranks;
    };
    const auto team = make_local_team(ranks);
    scene().fit(o, *team, {mesh_of(ranks)}).iterate();
    EXPECT_TRUE(looked);
  }
}

TEST(LowPassed, PreconditioningIsSymmetricAndPositive) {
  expect_symmetric([] { return std::make_unique<ByIllumination<double>>(RuleOptions()); });
}

TEST(Transfer, IsSymmetricAndPositive) {
  for (const auto how : {TransferInverse::damped, TransferInverse::wiener})
    expect_symmetric([how] {
      TransferOptions options;
      options.how = how;
      options.pixels = 4;
      return std::make_unique<ByTransfer<double>>(options);
    });
}

}  // namespace
}  // namespace ptyle

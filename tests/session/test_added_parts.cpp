// Parts that ptyle does not know (solver/toys.hpp), asked for in a configuration: a reconstruction
// runs them on any number of ranks, its plan has them, checkpoints hold what they save and agree on
// their keys.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "exchange/local/team.hpp"
#include "io/temporary_folder.hpp"
#include "session/memory_scan.hpp"
#include "session/open_experiment.hpp"
#include "session/plan_ranks.hpp"
#include "session/reconstruct.hpp"
#include "session/settings.hpp"
#include "solver/toys.hpp"

namespace ptyle {
namespace {

using testing::memory_scan;
using testing::message_of;
using testing::says;
using testing::TemporaryFolder;

ReconstructConfig with_toys() {
  ReconstructConfig config = memory_scan().config();
  config.solver.precision = Precision::float64;
  config.probe.refine_from = 0;
  config.parts = test::toys();
  config.parts.of<test::MomentumOptions>().step = 0.02;
  return config;
}

/// A run on so many ranks, which has taken these steps; none: all.
Reconstruction run_of(const ReconstructConfig& config, Team& team, int steps = -1) {
  Reconstruction run(config, memory_scan().patterns(), team);
  while (steps-- != 0 && !run.finished()) run.step();
  return run;
}

Array<float, 3> phase_of(const ReconstructConfig& config, int ranks) {
  const auto team = make_local_team(ranks);
  return run_of(config, *team).object().phase;
}

double apart(const Array<float, 3>& a, const Array<float, 3>& b) {
  double most = 0, largest = 0;
  for (i64 i = 0; i < a.size(); ++i) {
    most = std::max(most, std::abs(double(a.data()[i]) - double(b.data()[i])));
    largest = std::max(largest, std::abs(double(b.data()[i])));
  }
  return most / largest;
}

/// The difference of two doubles that agree but for the order of sums, once they are floats.
constexpr double rounding = 1e-6;

TEST(AddedParts, RunOnAnyNumberOfRanks) {
  const auto one = phase_of(with_toys(), 1);
  EXPECT_LT(apart(phase_of(with_toys(), 4), one), rounding);
  for (const auto& change : {+[](PartOptions& p) { p.of<test::GainOptions>() = {}; },
                             +[](PartOptions& p) { p.of<test::MomentumOptions>() = {}; },
                             +[](PartOptions& p) { p.of<test::ShrinkOptions>() = {}; }}) {
    auto config = with_toys();
    change(config.parts);
    EXPECT_GT(apart(phase_of(config, 1), one), 1e-3);
  }
}

TEST(AddedParts, AreInThePlan) {
  const auto config = with_toys();
  const auto patterns = memory_scan().patterns();
  const auto experiment = open_experiment(config.data, config.calibration, config.scan,
                                          config.optics, nullptr, nullptr, &patterns);
  const auto plan = plan_ranks(config, experiment, 4, 1, 1e-3);
  EXPECT_EQ(plan.refused, "");
  const auto& tile = plan.largest_tile;
  EXPECT_EQ(plan.memory.bytes.at("toy momentum"), double(2 * tile[0] * tile[1] * 8));
  EXPECT_GT(plan.memory.bytes.at("toy records"), 0);
}

/// A rule that asks for products, and does nothing else.
struct ByProducts {
  template <class T>
  class Rule final : public UpdateRule<T> {
   public:
    void declare(State<T>&) override {}
    void step(const Trial<T>&) override {}
    [[nodiscard]] double step_in_use(const Workspace<T>&) const override { return 0; }
    [[nodiscard]] bool needs_products() const override { return true; }
  };
  template <class T>
  void add_to(Parts<T>& parts) const {
    parts.rule = std::make_unique<Rule<T>>();
  }
};
template <class V>
void keys(V&, ByProducts&) {}

TEST(AddedParts, SayWhetherAnOperatorIsAskedForProducts) {
  const auto patterns = memory_scan().patterns();
  const auto products = [&](const ReconstructConfig& config) {
    return operator_setup(config, open_experiment(config.data, config.calibration, config.scan,
                                                  config.optics, nullptr, nullptr, &patterns))
        .products;
  };
  EXPECT_FALSE(products(with_toys()));
  auto config = memory_scan().config();
  EXPECT_FALSE(products(config));
  config.parts.of<RuleOptions>().rule = RuleChoice::gauss_newton;
  EXPECT_TRUE(products(config));
  config.parts.of<RuleOptions>() = {};
  config.parts.add<ByProducts>();
  EXPECT_TRUE(products(config));
}

TEST(AddedParts, AreSavedAndResumedOnOtherRanks) {
  const TemporaryFolder folder;
  auto config = with_toys();
  config.output.folder = folder / "saved";
  {
    const auto team = make_local_team(4);
    const auto run = run_of(config, *team, 1);
    run.save(config.output.folder);
    const auto fields = run.fields();
    EXPECT_TRUE(std::any_of(fields.begin(), fields.end(), [](const FieldFacts& field) {
      return field.name == "toy.velocity" && field.saved;
    }));
  }
  config.output.resume = true;
  EXPECT_LT(apart(phase_of(config, 3), phase_of(with_toys(), 1)), rounding);
  config.parts.of<test::ShrinkOptions>().share = 0.5;  // need not agree
  EXPECT_GT(apart(phase_of(config, 3), phase_of(with_toys(), 1)), 1e-3);
  config.parts.of<test::MomentumOptions>().memory = 0.25;
  EXPECT_TRUE(
      says(message_of<UserError>([&] { phase_of(config, 3); }), {"toy.momentum", "0.25", "0.5"}));
}

TEST(AddedParts, AreCheckedAsAllKeys) {
  const auto team = make_local_team();
  auto config = with_toys();
  config.parts.of<test::ShrinkOptions>().share = 2;
  config.parts.of<BlurOptions>().lateral = -1;
  EXPECT_EQ(message_of<UserError>([&] { run_of(config, *team, 0); }),
            "the configuration has 2 faults\n"
            "  object.blur: -1 px is out of its limits; it must be a number, from 0 to 100 px\n"
            "  toy.shrink: 2 is out of its limits; it must be a number, from 0 to 1");
}

}  // namespace
}  // namespace ptyle
